"""The events of many viewers: columns in memory, and objects of those viewers alone who are asked for."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa

from reelrank.index_mappings.event import Event

MAX_EVENTS_HELD = 200_000
"""Events that are held as objects, of the viewers who were asked for last: 140 MB."""


class Histories(Mapping[str, list[Event]]):
    """The events of each viewer of a table of EVENT_SCHEMA, in its order.

    An event takes 700 bytes as an object and a tenth of that in a table, and most are never asked for.
    """

    def __init__(self, events: pa.Table) -> None:
        self._events = events.combine_chunks()  # rows of one chunk are found without a copy of all
        encoded = pa.chunked_array(events["user"]).combine_chunks().dictionary_encode()
        users, codes = encoded.dictionary.to_pylist(), encoded.indices.to_numpy(zero_copy_only=False)
        self._order = np.argsort(codes, kind="stable")
        self._ends = np.cumsum(np.bincount(codes, minlength=len(users)))
        self._code_by_user = {user: code for code, user in enumerate(users)}
        self._held: OrderedDict[str, list[Event]] = OrderedDict()
        self._events_held = 0

    def __getitem__(self, user: str) -> list[Event]:
        if user in self._held:
            self._held.move_to_end(user)
            return self._held[user]
        code = self._code_by_user[user]
        begin = int(self._ends[code - 1]) if code else 0
        rows = self._events.take(pa.array(self._order[begin : int(self._ends[code])]))
        events = [Event(**row) for row in rows.to_pylist()]
        self._hold(user, events)
        return events

    def __iter__(self) -> Iterator[str]:
        return iter(self._code_by_user)

    def __len__(self) -> int:
        return len(self._code_by_user)

    def list_watchers(self, from_ms: int, to_ms: int) -> list[str]:
        """Returns the sorted viewers who watched something with from_ms <= time < to_ms."""
        at_ms = self._events["at_ms"].to_numpy()
        is_watch = self._events["kind"].to_numpy() == "watch"
        rows = np.flatnonzero(is_watch & (at_ms >= from_ms) & (at_ms < to_ms))
        return sorted(self._events["user"].take(pa.array(rows)).unique().to_pylist())

    def _hold(self, user: str, events: list[Event]) -> None:
        """Holds the events of a viewer, and lets those go of viewers who were not asked for the longest."""
        self._held[user] = events
        self._events_held += len(events)
        while self._events_held > MAX_EVENTS_HELD and len(self._held) > 1:
            self._events_held -= len(self._held.popitem(last=False)[1])
