"""A history in memory: its events are appended to the event store, each id once."""

from collections.abc import Sequence
from dataclasses import dataclass

from reelrank.index_mappings.event import Event
from reelrank.index_mappings.event_store import EventStore
from reelrank.ranking.progress import Progress, ignore_progress

BATCH_SIZE = 5000


@dataclass(frozen=True, slots=True)
class HistoryReport:
    """The result of a load: read == stored + duplicates, always."""

    read: int
    stored: int
    duplicates: int


def load_history(
    events: Sequence[Event], store: EventStore, progress: Progress = ignore_progress
) -> HistoryReport:
    """Appends events in batches. It is safe to run again: a stored event counts as a duplicate."""
    stored = 0
    for start in range(0, len(events), BATCH_SIZE):
        batch = events[start : start + BATCH_SIZE]
        stored += store.append(batch).stored
        progress("writing events", start + len(batch), len(events))
    store.flush()
    return HistoryReport(len(events), stored, len(events) - stored)
