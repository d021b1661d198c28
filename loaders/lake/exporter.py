"""Exports events from the event store into the lake, each exactly once.

A run reads events after the committed position, writes their files and then commits the new position with
the number of its files. Until that commit readers ignore its files; a run that is killed leaves files that
the next run removes, and the next run exports the same events again.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import pyarrow as pa

from reelrank.index_mappings.decision import EVENTS, LAKE_EVENT_SCHEMA
from reelrank.index_mappings.event_store import EventStore
from reelrank.loaders.lake.manifest import (
    COMPACTED,
    FILE_PATTERN,
    EventPosition,
    find_open_date,
    parse_folder,
    read_position,
    write_position,
)
from reelrank.loaders.lake.storage import LakeStorage
from reelrank.loaders.lake.user_keys import UserKeys
from reelrank.loaders.lake.writer import LakeWriter
from reelrank.ranking.progress import Progress

ROWS_PER_COMMIT = 500_000
"""Events that are held in memory and written at once: about 100 MB."""


@dataclass(frozen=True, slots=True)
class ExportReport:
    """events, files: written by this run. total: events in the lake by its position."""

    events: int
    files: int
    total: int


def export_events(
    storage: LakeStorage, events: EventStore, keys: UserKeys, now: Callable[[], datetime], progress: Progress
) -> ExportReport:
    """Exports all events that the store has acknowledged so far. Raises Conflict while another run exports.

    now: the time, which decides the dates that are open.
    """
    with storage.lock("export"):
        committed = _remove_uncommitted(storage, read_position(storage), now())
        writer, before = LakeWriter(storage), committed.events
        while True:
            rows, position = _read_events(events, committed.position)
            if not len(rows):
                return ExportReport(committed.events - before, writer.files, committed.events)
            writer.write(EVENTS, _replace_users(rows, keys), find_open_date(now()))
            committed = EventPosition(
                position, committed.events + len(rows), {**committed.runs, writer.name: writer.files}
            )
            write_position(storage, committed)
            progress("export events", committed.events - before, None)


def _read_events(events: EventStore, position: str | None) -> tuple[pa.Table, str | None]:
    """Reads up to ROWS_PER_COMMIT events; an id that a cluster stored twice is taken once."""
    batches, rows = list[pa.RecordBatch](), 0
    while rows < ROWS_PER_COMMIT:
        batch, position = events.follow(position)
        if not batch.num_rows:
            break
        batches.append(batch)
        rows += batch.num_rows
    return pa.Table.from_batches(batches) if batches else LAKE_EVENT_SCHEMA.empty_table(), position


def _replace_users(rows: pa.Table, keys: UserKeys) -> pa.Table:
    """Replaces the ids of viewers by their keys."""
    encoded = rows["user"].combine_chunks().dictionary_encode()
    unique = pa.array([keys.get_key(user) for user in encoded.dictionary.to_pylist()], pa.string())
    column = unique.take(encoded.indices)
    return rows.set_column(rows.schema.get_field_index("user"), "user_key", column)


def _remove_uncommitted(storage: LakeStorage, position: EventPosition, now: datetime) -> EventPosition:
    """Removes the files of killed runs, and forgets runs without files: their rows are compacted."""
    existing, leftovers = set[str](), list[str]()
    for file in storage.list_files(EVENTS):
        match = FILE_PATTERN.fullmatch(file.name)
        if match is None or parse_folder(file.folder) is None:
            continue
        if match["writer"] in position.runs and int(match["seq"]) < position.runs[match["writer"]]:
            existing.add(match["writer"])
        elif match["writer"] != COMPACTED and now.timestamp() - file.modified_s >= storage.grace_s:
            leftovers.append(file.path)
    storage.delete(leftovers)
    runs: Mapping[str, int] = {run: files for run, files in position.runs.items() if run in existing}
    return replace(position, runs=runs)
