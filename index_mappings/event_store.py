"""The protocol of a store of events, which every engine fulfils."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import pyarrow as pa

from reelrank.index_mappings.errors import BadRequest
from reelrank.index_mappings.event import EVENT_KINDS, EVENT_SCHEMA, OPINION_KINDS, Event, EventKind


@dataclass(frozen=True, slots=True)
class AppendReport:
    """The result of appending a batch of events: len(batch) == stored + duplicates, always."""

    stored: int
    duplicates: int


class PastEvent(NamedTuple):
    """The fields of `Event` that a request reads of its viewer's past, which may be hundreds of events."""

    id: str
    kind: EventKind
    at_ms: int
    item: str
    watched_ms: int | None
    duration_ms: int | None
    text: str


class EventStore(Protocol):
    """Stores events, each id once. Errors are `reelrank.index_mappings.errors`."""

    def append(self, events: Sequence[Event], timeout_s: float | None = None) -> AppendReport:
        """Stores events durably; an id that is already stored counts as a duplicate.

        timeout_s: None when no caller waits for the result; else for a part of the events, as a store on a
        cluster writes many in parts. Raises Timeout, Throttled or Unavailable when the
        events may not be durable. It is safe to append them again: each event still counts once.
        """
        ...

    def recent(
        self, user_id: str, limit: int, timeout_s: float, kinds: Sequence[EventKind] = EVENT_KINDS
    ) -> list[Event]:
        """Returns a viewer's latest events of these kinds, newest first, including every acknowledged one."""
        ...

    def past(self, user_id: str, limit: int, timeout_s: float, kinds: Sequence[EventKind]) -> list[PastEvent]:
        """Returns what `recent` returns, with the fields of `PastEvent` only."""
        ...

    def watched_items(self, user: str, timeout_s: float) -> frozenset[str]:
        """Returns the ids of all items that a viewer ever watched, however many events there are.

        Raises Timeout, Throttled, Unavailable, or Partial with the ids that were found.
        """
        ...

    def opinions(self, user: str, timeout_s: float) -> dict[str, EventKind]:
        """Returns what a viewer said last about each item, as `select_newest_opinions` does.

        Complete, or of the newest 10,000 opinions on a cluster. Raises Timeout, Throttled or Unavailable.
        """
        ...

    def scan(
        self,
        from_ms: int,
        to_ms: int,
        kinds: Sequence[EventKind] | None = None,
        columns: Sequence[str] | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """Yields events with from_ms <= at_ms < to_ms in the order of (at_ms, id).

        kinds: only events of these kinds. columns: only these fields, in this order; None means all of them.
        The engine selects both, so nothing else is read or sent. The batches have
        `select_event_schema(columns)`. Raises BadRequest for an unknown field.
        """
        ...

    def follow(self, position: str | None) -> tuple[pa.RecordBatch, str]:
        """Returns events acknowledged after `position` (None: from the first), and the next position.

        A batch has EVENT_SCHEMA and at most 10,000 events. Call again with the returned position for more.
        """
        ...

    def withdraw(self, ids: Sequence[str]) -> int:
        """Removes events for good, and returns how many of these ids had one. Durable when it returns.

        Counters that followed the store have counted them: they count all events again when
        `withdrawal_mark` changes. Raises Timeout, Throttled or Unavailable; it is safe to withdraw again.
        """
        ...

    def withdrawal_mark(self) -> str:
        """Returns a text that changes with each withdrawal; empty before the first."""
        ...

    def scan_user(self, user: str) -> Iterator[pa.RecordBatch]:
        """Yields all events of one viewer, with EVENT_SCHEMA, in the order of (at_ms, id)."""
        ...

    def erase_user(self, user: str) -> int:
        """Removes all events of a viewer for good, and returns how many there were; durable when it returns.

        `withdrawal_mark` changes when there were any. Raises BadRequest for the empty id, which the events of
        unknown viewers have, and Timeout, Throttled or Unavailable; it is safe to erase again.
        """
        ...

    def purge(self, user: str) -> None:
        """Overwrites what erased events of a viewer left in the files of the store. May take minutes."""
        ...

    def count(self) -> int: ...

    def flush(self) -> None:
        """Saves what was appended, so that a store that is killed does not repeat it when it starts again."""
        ...


def check_erasable(user: str) -> None:
    """Raises BadRequest for the empty id: it would erase the events of all unknown viewers."""
    if not user:
        raise BadRequest("the id of a viewer is empty; state whose events to erase", code="user_id_empty")


def select_newest_opinions(events: Iterable[Event | PastEvent]) -> dict[str, EventKind]:
    """Returns the kind of the newest opinion on each item, in the order of items; an undone one is left out.

    Events of other kinds are ignored. Of two at the same time the smaller id counts, in any order of events.
    """
    newest: dict[str, Event | PastEvent] = {}
    for event in events:
        if event.kind in OPINION_KINDS:
            known = newest.get(event.item)
            if known is None or (-event.at_ms, event.id) < (-known.at_ms, known.id):
                newest[event.item] = event
    return {item: event.kind for item, event in sorted(newest.items()) if event.kind != "undo"}


def select_event_schema(columns: Sequence[str] | None) -> pa.Schema:
    """Returns EVENT_SCHEMA with these columns only, in this order. Raises BadRequest for an unknown one."""
    if columns is None:
        return EVENT_SCHEMA
    if unknown := [name for name in columns if name not in EVENT_SCHEMA.names]:
        known = ", ".join(EVENT_SCHEMA.names)
        raise BadRequest(
            f"an event has no field {', '.join(unknown)}; its fields are {known}", code="unknown_event_field"
        )
    return pa.schema([EVENT_SCHEMA.field(name) for name in columns])
