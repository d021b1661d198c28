"""Event files: all rows are checked before the first is stored, so a rejected file stores nothing."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from reelrank.index_mappings.event_store import EventStore
from reelrank.loaders.events.event_columns import CheckedEvents, has_ubi_rows, parse_event_rows
from reelrank.loaders.fields.field_map import FieldRules
from reelrank.loaders.fields.mapped_rows import MappedRows, read_mapped_rows
from reelrank.loaders.fields.times import MAX_EPOCH_MS
from reelrank.loaders.files.source import SourceError, SourceFile
from reelrank.loaders.items.catalogue import LoadOptions, reject_empty_load, verify
from reelrank.loaders.rejects import open_reject_file
from reelrank.loaders.report import FileReport, report_progress
from reelrank.ranking.progress import Progress, ignore_progress


@dataclass(frozen=True, slots=True)
class EventLoad:
    """What to load, how to read it, and where rejected rows go. Events later than latest_ms are rejected."""

    files: Sequence[SourceFile]
    rules: FieldRules
    rejects: Path
    options: LoadOptions
    latest_ms: int = MAX_EPOCH_MS


def load_event_files(load: EventLoad, store: EventStore, progress: Progress = ignore_progress) -> FileReport:
    """Checks all rows, then stores the events, each id once. Raises LoadRejected or SourceError.

    After an interruption it is safe to run it again.
    """
    started = time.monotonic()
    checked = check_event_files(load, progress)
    read = written = stored = 0
    for mapped, checked_rows in _check_rows(load):
        stored += store.append(checked_rows.events).stored if checked_rows.events else 0
        read += mapped.rows.row_count
        written += len(checked_rows.events)
        report_progress(progress, "storing events", read, mapped.done)
    if (read, written) != (checked.read, checked.written):
        raise SourceError(
            "the files changed during the load; run it again: each event counts once", code="source_changed"
        )
    return FileReport(
        read,
        written,
        checked.rejected,
        stored,
        time.monotonic() - started,
        rejects=checked.rejects,
        unused=checked.unused,
    )


def check_event_files(load: EventLoad, progress: Progress = ignore_progress) -> FileReport:
    """Reads and checks every row and writes rejected rows to their file. Stores nothing."""
    started = time.monotonic()
    read = written = rejected = 0
    unused: dict[str, None] = {}
    with open_reject_file(load.rejects) as rejects:
        for mapped, checked in _check_rows(load):
            unused.update(dict.fromkeys(mapped.fields.unused if mapped.fields is not None else ()))
            rejects.add(checked.rejects)
            read += mapped.rows.row_count
            written += len(checked.events)
            rejected += len(checked.rejects)
            report_progress(progress, "checking events", read, mapped.done)
        first = f"row {rejects.first.row}: {rejects.first.reason}" if rejects.first else ""
    reject_empty_load(load.files, read)
    verify(load.options, read, rejected, f"{first} ({load.rejects})")
    rejects_path = load.rejects if rejected else None
    seconds = time.monotonic() - started
    return FileReport(read, written, rejected, written, seconds, rejects=rejects_path, unused=tuple(unused))


def _check_rows(load: EventLoad) -> Iterator[tuple[MappedRows, CheckedEvents]]:
    for mapped in read_mapped_rows(load.files, load.rules, needs_no_map=has_ubi_rows):
        yield mapped, parse_event_rows(mapped.rows, mapped.fields, load.latest_ms)
