"""The state that a logged request saw: counters and the viewer's past, from the events that had arrived.

An event counts as of its arrival, not of its time: `received_ms`, or for an impression the time of its page.
Loaded history states neither, and counts as of what arrived before it. Counters and impressions lag behind
by up to a second or two while a service runs, so there are two states of a request: with and without a lag.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from reelrank.index_mappings.event_store import EventStore, PastEvent
from reelrank.loaders.lake.user_keys import UserKeys
from reelrank.ranking.arrow_columns import to_array
from reelrank.ranking.items.popularity.counters import Popularity
from reelrank.ranking.items.popularity.event_counts import count_events
from reelrank.ranking.items.table import ItemTable

Arrived = tuple[pa.RecordBatch, NDArray[np.int64]]
"""Events in the order in which they were acknowledged, and when each [n] had arrived at the latest."""


def follow_arrivals(events: EventStore) -> Iterator[Arrived]:
    """Yields all events of a store."""
    position, latest = None, 0
    while True:
        batch, position = events.follow(position)
        if not batch.num_rows:
            return
        is_impression = pc.equal(batch["kind"], "impression")
        stated = pc.if_else(is_impression, batch["at_ms"], pc.fill_null(batch["received_ms"], 0))
        arrived = np.maximum.accumulate(np.maximum(to_array(stated, np.int64), latest))
        latest = int(arrived[-1])
        yield batch, arrived


class PastCounters:
    """Popularity counters that go forward in time. lag_ms: how late each event is counted."""

    def __init__(self, events: EventStore, table: ItemTable, lag_ms: int) -> None:
        self.popularity = Popularity(len(table))
        self._table = table
        self._lag_ms = lag_ms
        self._stream = follow_arrivals(events)
        self._waiting: Arrived | None = None

    def advance(self, to_ms: int) -> Popularity:
        """Counts what had arrived before a time, less the lag; returns the counters."""
        until_ms = to_ms - self._lag_ms
        while (part := self._waiting or next(self._stream, None)) is not None:
            batch, arrived = part
            n = int(np.searchsorted(arrived, until_ms))
            if n:
                count_events(self.popularity, self._table, batch.slice(0, n))
            self._waiting = (batch.slice(n), arrived[n:]) if n < len(arrived) else None
            if self._waiting is not None:
                break
        return self.popularity


@dataclass(frozen=True, slots=True)
class PastViewers:
    """The events of some viewers, by key, with the time at which each had arrived."""

    events: dict[str, list[tuple[int, PastEvent]]] = field(default_factory=dict)

    def list_known(self, user_key: str, at_ms: int) -> list[PastEvent]:
        """Returns the events that had arrived before a time."""
        return [event for arrived_ms, event in self.events.get(user_key, ()) if arrived_ms < at_ms]


def read_past_viewers(events: EventStore, keys: UserKeys, wanted: Sequence[str]) -> PastViewers:
    """Reads the events of the viewers with these keys; one pass over the store."""
    found, wanted_keys = PastViewers({key: [] for key in wanted if key}), frozenset(wanted)
    for batch, arrived in follow_arrivals(events):
        users = batch["user"].dictionary_encode()
        known = [keys.get_key(user) for user in users.dictionary.to_pylist()]
        is_wanted = np.array([key in wanted_keys and key != "" for key in known], bool)
        rows = np.flatnonzero(is_wanted[to_array(users.indices, np.int64)])
        selected = batch.select(PastEvent._fields).take(pa.array(rows)).to_pylist()
        for row, code, event in zip(rows, to_array(users.indices, np.int64)[rows], selected, strict=True):
            found.events[known[code]].append((int(arrived[row]), PastEvent(**event)))
    return found
