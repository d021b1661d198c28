"""Runs candidate sources in parallel under one deadline; drops and reports a late or failing one.

If all are late, the first one that answers within as much time again makes the page: a late page is better
than an error. A source that answers in part is used as far as it answered, and reported too.

What the item table answers is computed in the thread of the request while the engine works: it needs no place
in the pool and is never late, so a home page has items however slow the engine is.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from reelrank.index_mappings.errors import EngineError, Partial, Timeout, Unavailable
from reelrank.index_mappings.match import Matches
from reelrank.ranking.retrieval.source_names import TABLE_SOURCES
from reelrank.ranking.retrieval.sources import SourceRequest

QuerySource = Callable[[SourceRequest, float], Matches]
"""Answers one source request within so many seconds."""


@dataclass(frozen=True, slots=True)
class SourceResults:
    """What the sources answered.

    matches: in the order of the requests. failures: by source, also of one that answered in part. seconds: by
    source.
    """

    matches: list[Matches]
    failures: Mapping[str, EngineError]
    seconds: Mapping[str, float]

    @property
    def is_empty(self) -> bool:
        """Returns whether no source answered even in part: that is an error, not a page without hits."""
        return bool(self.failures) and not self.matches

    def to_error(self) -> EngineError:
        """Builds one error for all failures: a retry may help, whatever the engine calls it."""
        is_late = any(isinstance(error, Timeout) for error in self.failures.values())
        reasons = "; ".join(f"{source}: {error}" for source, error in self.failures.items())
        return (Timeout if is_late else Unavailable)(f"no source answered ({reasons})")


def run_sources(
    requests: Sequence[SourceRequest], query: QuerySource, deadline_s: float, pool: ThreadPoolExecutor
) -> SourceResults:
    """Runs all requests until the deadline; while none is answered, for up to as much time again.

    Raises any exception that is no EngineError: an internal error must not look like a degraded page.
    """
    until = time.monotonic() + deadline_s
    seconds: dict[str, float] = {}

    def query_timed(request: SourceRequest) -> Matches:
        started = time.perf_counter()
        found = query(request, max(until - time.monotonic(), 0.001))
        seconds[request.source] = time.perf_counter() - started
        return found

    futures = {
        request.source: pool.submit(query_timed, request)
        for request in requests
        if request.source not in TABLE_SOURCES
    }
    found = {request.source: query_timed(request) for request in requests if request.source in TABLE_SOURCES}
    wait(futures.values(), timeout=max(until - time.monotonic(), 0))
    if not found:
        wait_for_one(futures.values(), deadline_s)
    failures = dict[str, EngineError]()
    for source, future in futures.items():
        if not future.done():
            future.cancel()
            failures[source] = Timeout(f"no answer within {deadline_s * 1000:.0f} ms")
        elif isinstance(error := future.exception(), EngineError):
            failures[source] = error
            if isinstance(error, Partial) and error.partial_result is not None:
                found[source] = error.partial_result
        else:
            found[source] = future.result()
    matches = [found[request.source] for request in requests if request.source in found]
    return SourceResults(matches, failures, dict(seconds))


def wait_for_one(futures: Collection[Future[Matches]], seconds: float) -> None:
    """Waits for so many seconds at most until one of the sources has answered, or all have failed."""
    until = time.monotonic() + seconds
    pending = {future for future in futures if not future.done()}
    while pending and not any(future.done() and _has_matches(future) for future in futures):
        done, pending = wait(pending, max(until - time.monotonic(), 0), FIRST_COMPLETED)
        if not done:
            return


def _has_matches(future: Future[Matches]) -> bool:
    error = future.exception()
    return error is None or (isinstance(error, Partial) and error.partial_result is not None)
