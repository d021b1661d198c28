"""Event files: all rows are checked before the first is stored, so a rejected file stores nothing."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from reelrank.index_mappings.event_store import EventStore
from reelrank.loaders.events.event_columns import CheckedEvents, has_ubi_rows, parse_event_rows
from reelrank.loaders.fields.dates import MAX_EPOCH_MS
from reelrank.loaders.fields.field_map import FieldMap, FieldRules
from reelrank.loaders.fields.guesses import describe_fields, list_notes
from reelrank.loaders.fields.mapped_rows import MappedRows, read_mapped_rows, survey_columns
from reelrank.loaders.fields.survey import ColumnStyles
from reelrank.loaders.files.rows import Reject
from reelrank.loaders.files.source import SourceError, SourceFile
from reelrank.loaders.items.catalogue import LoadOptions, reject_empty_load, report_refusal, verify
from reelrank.loaders.rejects import open_reject_file
from reelrank.loaders.report import FileReport, ValueCounts, add_counts, report_progress, select_ignored
from reelrank.ranking.progress import Progress, ignore_progress


@dataclass(frozen=True, slots=True)
class EventLoad:
    """What to load, how to read it, and where rejected rows go. Events later than latest_ms are rejected.

    styles: of columns; None surveys them. check_items: of the number of events by item to notes about them.
    """

    files: Sequence[SourceFile]
    rules: FieldRules
    rejects: Path
    options: LoadOptions
    latest_ms: int = MAX_EPOCH_MS
    styles: ColumnStyles | None = None
    check_items: Callable[[Mapping[str, int]], Sequence[str]] = lambda _events_by_item: ()


def load_event_files(load: EventLoad, store: EventStore, progress: Progress = ignore_progress) -> FileReport:
    """Checks all rows, then stores the events, each id once. Raises LoadRejected or SourceError.

    After an interruption it is safe to run it again.
    """
    started = time.monotonic()
    if load.styles is None:
        load = replace(load, styles=survey_columns(load.files, load.rules, has_ubi_rows).styles)
    checked = check_event_files(load, progress)
    read = written = stored = 0
    for mapped, checked_rows in _check_rows(load):
        stored += store.append(checked_rows.events).stored if checked_rows.events else 0
        read += mapped.rows.row_count
        written += len(checked_rows.events)
        report_progress(progress, "storing events", read, mapped.done)
    store.flush()
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
        ignored=checked.ignored,
        fields=checked.fields,
        notes=checked.notes,
        unknown_actions=checked.unknown_actions,
    )


def check_event_files(load: EventLoad, progress: Progress = ignore_progress) -> FileReport:
    """Reads and checks every row and writes rejected rows to their file. Stores nothing."""
    started = time.monotonic()
    read = written = rejected = 0
    unused, fields = dict[str, None](), cast("FieldMap | None", None)
    values: dict[str, ValueCounts] = {}
    unknown, items = Counter[str](), Counter[str]()
    first_invalid: Reject | None = None
    with open_reject_file(load.rejects) as rejects:
        for mapped, checked in _check_rows(load):
            fields = mapped.fields or fields
            unused.update(dict.fromkeys(mapped.fields.unused if mapped.fields is not None else ()))
            values = add_counts(values, checked.values)
            unknown += checked.unknown_actions
            items.update(event.item for event in checked.events if event.item)
            rejects.add(checked.rejects)
            first_invalid = first_invalid or checked.first_invalid
            read += mapped.rows.row_count
            written += len(checked.events)
            rejected += len(checked.rejects)
            report_progress(progress, "checking events", read, mapped.done)
    tolerated = 0 if load.rules.is_strict or not written else unknown.total()
    first = first_invalid if tolerated else rejects.first
    report = FileReport(
        read,
        written,
        rejected,
        written,
        time.monotonic() - started,
        rejects=load.rejects if rejected else None,
        unused=tuple(unused),
        ignored=select_ignored(values),
        fields=describe_fields(fields, values),
        notes=(*list_notes(fields), *load.check_items(items)),
        unknown_actions=dict(unknown.most_common()),
    )
    with report_refusal(report):
        reject_empty_load(load.files, read)
        verify(load.options, read, rejected - tolerated, f"{_describe_row(first)} ({load.rejects})")
    return report


def _describe_row(reject: Reject | None) -> str:
    return f"row {reject.row}: {reject.reason}" if reject else ""


def _check_rows(load: EventLoad) -> Iterator[tuple[MappedRows, CheckedEvents]]:
    for mapped in read_mapped_rows(load.files, load.rules, needs_no_map=has_ubi_rows, styles=load.styles):
        is_strict = load.rules.is_strict
        yield mapped, parse_event_rows(mapped.rows, mapped.fields, load.latest_ms, is_strict)
