"""The viewer of a request: their past, read from the event store within a part of the deadline."""

import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from reelrank.index_mappings.errors import Degradation, EngineError, Partial, Timeout
from reelrank.index_mappings.event import USER_ACTIONS, EventKind
from reelrank.index_mappings.event_store import EventStore, PastEvent
from reelrank.index_mappings.query import Query
from reelrank.ranking.retrieval.source_names import SOURCES
from reelrank.ranking.viewers.history import (
    MAX_ACTIONS,
    MAX_IMPRESSIONS,
    Viewer,
    build_anonymous_viewer,
    build_viewer,
)

VIEWER_READS = 3
"""What is read of a viewer at once, beside the actions: impressions, watched items and opinions."""
T = TypeVar("T")
KnownViewer = tuple[Viewer, tuple[Degradation, ...]]
"""A viewer, and what could not be read of them."""
Failures = dict[str, EngineError]
"""What could not be read: `viewer` (the recent past), `watched` or `opinions` (items that no list shows)."""


def build_pools(requests: int) -> tuple[ThreadPoolExecutor, ThreadPoolExecutor]:
    """Builds the threads for the sources of so many requests at once, and those for reading their viewers."""
    sources = ThreadPoolExecutor(requests * len(SOURCES), thread_name_prefix="source")
    return sources, ThreadPoolExecutor(requests * VIEWER_READS, thread_name_prefix="viewer")


@dataclass(frozen=True, slots=True, eq=False)
class Viewers:
    """Reads recent actions, impressions and watched items in parallel."""

    events: EventStore
    pool: ThreadPoolExecutor

    def find(self, query: Query, timeout_s: float) -> tuple[Viewer, Failures]:
        """Returns the viewer at the time of the query. What cannot be read in time is left out and reported.

        Impressions are read apart, because a page shows dozens and they would displace the watches. Watched
        items and opinions are read apart, because every one counts; a search may show these items and does
        not read them.
        """
        if not query.user:
            return build_anonymous_viewer(), {}
        until = time.monotonic() + timeout_s
        known = None
        if query.kind != "search":
            watched = self.pool.submit(self.events.watched_items, query.user, timeout_s)
            known = watched, self.pool.submit(self.events.opinions, query.user, timeout_s)
        failures = Failures()
        past = self._read_past(query.user, until, failures)
        seen = _collect_known(*known, until, failures) if known is not None else frozenset[str]()
        if past is None:
            return build_anonymous_viewer(query.user, seen), failures
        return build_viewer(query.user, past, query.context.at_ms, seen), failures

    def _read_past(self, user: str, until: float, failures: Failures) -> list[PastEvent] | None:
        timeout_s = max(until - time.monotonic(), 0.001)
        shown = self.pool.submit(self.events.past, user, MAX_IMPRESSIONS, timeout_s, ("impression",))
        try:
            actions = self.events.past(user, MAX_ACTIONS, timeout_s, USER_ACTIONS)
            return [*actions, *_wait_for(shown, until)]
        except EngineError as error:
            failures["viewer"] = error
            return None


def _collect_known(
    watched: Future[frozenset[str]],
    opinions: Future[dict[str, EventKind]],
    until: float,
    failures: Failures,
) -> frozenset[str]:
    """Returns the items that were watched or that the viewer has an opinion on, as far as both were read."""
    known = _collect_watched(watched, until, failures)
    try:
        judged = _wait_for(opinions, until)
        return known.union(judged)
    except EngineError as error:
        failures["opinions"] = error
        return known


def _collect_watched(watched: Future[frozenset[str]], until: float, failures: Failures) -> frozenset[str]:
    try:
        return _wait_for(watched, until)
    except Partial as partial:
        failures["watched"] = partial
        return partial.partial_result or frozenset()
    except EngineError as error:
        failures["watched"] = error
        return frozenset()


def _wait_for(future: Future[T], until: float) -> T:
    """Returns the result of a future. Raises Timeout, and whatever the future raises."""
    try:
        return future.result(max(until - time.monotonic(), 0))
    except TimeoutError:
        future.cancel()
        raise Timeout("no answer in time") from None
