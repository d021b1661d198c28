"""Withdrawal of events: which ones a selection names, and their removal from the store."""

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reelrank.index_mappings.event import MAX_TIME_MS, EventKind
from reelrank.index_mappings.event_store import EventStore, select_event_schema
from reelrank.ranking.progress import Progress

COLUMNS = ("id", "kind", "user", "item", "at_ms", "received_ms")
BATCH = 5000
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class TimeRange:
    """Times from start_ms on and before end_ms; None: without that limit."""

    start_ms: int | None = None
    end_ms: int | None = None

    @property
    def is_limited(self) -> bool:
        return self.start_ms is not None or self.end_ms is not None


@dataclass(frozen=True, slots=True)
class EventSelection:
    """Which events: those that fulfil all conditions.

    happened: the range of at_ms. received: the range of received_ms, the clock of the server; events
    from a file have none. user: an id, or a pattern with * and ?. kinds: empty for all.
    """

    happened: TimeRange = TimeRange()
    received: TimeRange = TimeRange()
    user: str = ""
    kinds: Sequence[EventKind] = ()

    @property
    def is_limited(self) -> bool:
        return self.happened.is_limited or self.received.is_limited or bool(self.user or self.kinds)


def select_events(store: EventStore, selection: EventSelection) -> pa.Table:
    """Returns COLUMNS of the events of a selection, in the order of time."""
    start, end = selection.happened.start_ms, selection.happened.end_ms
    batches = store.scan(
        -MAX_TIME_MS if start is None else start,
        MAX_TIME_MS if end is None else end,
        selection.kinds or None,
        COLUMNS,
    )
    schema = select_event_schema(COLUMNS)
    return pa.Table.from_batches([_filter(batch, selection) for batch in batches], schema)


def count_by_day(events: pa.Table) -> dict[str, dict[str, int]]:
    """Returns the number of events by day of at_ms (UTC) and kind; days of no calendar by their number."""
    days = np.floor_divide(events["at_ms"].to_numpy(), DAY_MS)
    counts: dict[str, dict[str, int]] = {}
    for day, kind in zip(days.tolist(), events["kind"].to_pylist(), strict=True):
        by_kind = counts.setdefault(_format_day(day), {})
        by_kind[kind] = by_kind.get(kind, 0) + 1
    return counts


def withdraw_events(store: EventStore, events: pa.Table, progress: Progress) -> int:
    """Removes events in batches, and returns how many there were. It is safe to run again."""
    ids, withdrawn = events["id"].to_pylist(), 0
    for start in range(0, len(ids), BATCH):
        withdrawn += store.withdraw(ids[start : start + BATCH])
        progress("withdrawing events", min(start + BATCH, len(ids)), len(ids))
    return withdrawn


def _filter(batch: pa.RecordBatch, selection: EventSelection) -> pa.RecordBatch:
    """Returns the rows that fulfil the conditions that a scan does not know."""
    keep = pa.array(np.ones(len(batch), np.bool_))
    received = batch.column("received_ms")
    if selection.received.start_ms is not None:
        keep = pc.and_(keep, pc.fill_null(pc.greater_equal(received, selection.received.start_ms), False))
    if selection.received.end_ms is not None:
        keep = pc.and_(keep, pc.fill_null(pc.less(received, selection.received.end_ms), False))
    if selection.user:
        pattern = fnmatch.translate(selection.user).removesuffix(r"\Z")  # RE2 writes the end as \z
        keep = pc.and_(keep, pc.match_substring_regex(batch.column("user"), rf"\A{pattern}\z"))
    return batch.filter(keep)


def _format_day(day: int) -> str:
    try:
        return str(np.datetime64(day, "D"))
    except (OverflowError, ValueError):
        return f"day {day}"
