"""Candidate sources run side by side under one deadline; a late or failing one is dropped and named."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait

from index_mappings.errors import EngineError
from index_mappings.match import Matches
from ranking.sources import SourceRequest

Answer = Callable[[SourceRequest, float], Matches]


def run(
    requests: Sequence[SourceRequest], answer: Answer, deadline_s: float, pool: ThreadPoolExecutor
) -> tuple[list[Matches], list[str]]:
    """Matches in the order of the requests, and what was dropped and why."""
    until = time.monotonic() + deadline_s
    asked = {pool.submit(answer, request, deadline_s): request.source for request in requests}
    wait(asked, timeout=max(until - time.monotonic(), 0))
    matches, dropped = [], []
    for future, source in asked.items():
        if not future.done():
            future.cancel()
            dropped.append(f"{source}: no answer within {deadline_s * 1000:.0f} ms")
        elif isinstance(future.exception(), EngineError):
            dropped.append(f"{source}: {future.exception()}")
        else:
            matches.append(future.result())
    return matches, dropped
