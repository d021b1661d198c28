"""Who asks: a viewer's past, looked up in the event store within a part of the deadline."""

import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from reelrank.index_mappings.errors import EngineError, Partial, Timeout
from reelrank.index_mappings.event import USER_ACTIONS, Event
from reelrank.index_mappings.event_store import EventStore
from reelrank.index_mappings.query import Query
from reelrank.ranking.viewers.history import MAX_IMPRESSIONS, Viewer, build_anonymous_viewer, build_viewer

RECENT_DEEDS = 1000
"""Twice the watches that a viewer's taste is made of, to leave room for clicks and likes between."""

T = TypeVar("T")
Missing = dict[str, EngineError]
"""What of a viewer could not be had: `viewer` (their recent past), `watched` (what no list may hold)."""


@dataclass(frozen=True, slots=True, eq=False)
class Viewers:
    """Asks for recent deeds, impressions and watched items side by side."""

    events: EventStore
    pool: ThreadPoolExecutor

    def find(self, query: Query, timeout_s: float) -> tuple[Viewer, Missing]:
        """The viewer as of the query's moment. What cannot be had in time is left out and named.

        Impressions are asked for apart: a page shows dozens, which would crowd out the watches. So are
        watched items, of which every one counts. A search may find those; it does not ask for them.
        """
        if not query.user:
            return build_anonymous_viewer(), {}
        until = time.monotonic() + timeout_s
        watched = None
        if query.kind != "search":
            watched = self.pool.submit(self.events.watched_items, query.user, timeout_s)
        missing = Missing()
        past = self._past(query.user, until, missing)
        seen = self._seen(watched, until, missing) if watched is not None else frozenset[str]()
        if past is None:
            return build_anonymous_viewer(query.user, seen), missing
        return build_viewer(query.user, past, query.context.at_ms, seen), missing

    def _past(self, user: str, until: float, missing: Missing) -> list[Event] | None:
        timeout_s = max(until - time.monotonic(), 0.001)
        shown = self.pool.submit(self.events.recent, user, MAX_IMPRESSIONS, timeout_s, ("impression",))
        try:
            deeds = self.events.recent(user, RECENT_DEEDS, timeout_s, USER_ACTIONS)
            return [*deeds, *_result(shown, until)]
        except EngineError as error:
            missing["viewer"] = error
            return None

    def _seen(self, watched: Future[frozenset[str]], until: float, missing: Missing) -> frozenset[str]:
        try:
            return _result(watched, until)
        except Partial as partial:
            missing["watched"] = partial
            return partial.partial_result or frozenset()
        except EngineError as error:
            missing["watched"] = error
            return frozenset()


def _result(future: Future[T], until: float) -> T:
    """Raises Timeout, and whatever the future raises."""
    try:
        return future.result(max(until - time.monotonic(), 0))
    except TimeoutError:
        future.cancel()
        raise Timeout("no answer in time") from None
