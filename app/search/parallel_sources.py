"""Candidate sources run side by side under one deadline; a late or failing one is dropped and named.

Of one that answers in part, that part is used, and it is named too.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass

from reelrank.index_mappings.errors import EngineError, Partial, Timeout, Unavailable
from reelrank.index_mappings.match import Matches
from reelrank.ranking.retrieval.sources import SourceRequest

SourceRunner = Callable[[SourceRequest, float], Matches]


@dataclass(frozen=True, slots=True)
class SourceResults:
    """matches in the order of the requests; missing: source to the failure for which it has none or not
    all; seconds by source."""

    matches: list[Matches]
    failures: Mapping[str, EngineError]
    seconds: Mapping[str, float]

    @property
    def is_empty(self) -> bool:
        """Every source failed, and none gave a part of its answer: that is no page without hits."""
        return bool(self.failures) and not self.matches

    def to_error(self) -> EngineError:
        """Of them all, in one: what failed is asked again later, whatever the engine calls it."""
        late = any(isinstance(error, Timeout) for error in self.failures.values())
        said = "; ".join(f"{source}: {error}" for source, error in self.failures.items())
        return (Timeout if late else Unavailable)(f"no source answered ({said})")


def run_sources(
    requests: Sequence[SourceRequest], answer: SourceRunner, deadline_s: float, pool: ThreadPoolExecutor
) -> SourceResults:
    """Raises what is no EngineError: a mistake of ours is not a degraded page."""
    until = time.monotonic() + deadline_s
    seconds: dict[str, float] = {}

    def answer_timed(request: SourceRequest) -> Matches:
        started = time.perf_counter()
        found = answer(request, max(until - time.monotonic(), 0.001))
        seconds[request.source] = time.perf_counter() - started
        return found

    asked = {pool.submit(answer_timed, request): request.source for request in requests}
    wait(asked, timeout=max(until - time.monotonic(), 0))
    matches, missing = list[Matches](), dict[str, EngineError]()
    for future, source in asked.items():
        if not future.done():
            future.cancel()
            missing[source] = Timeout(f"no answer within {deadline_s * 1000:.0f} ms")
        elif isinstance(error := future.exception(), EngineError):
            missing[source] = error
            if isinstance(error, Partial) and error.partial_result is not None:
                matches.append(error.partial_result)
        else:
            matches.append(future.result())
    return SourceResults(matches, missing, dict(seconds))
