"""A stopwatch: how long each stage of one request took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class StageTimings:
    """seconds: stage to the time spent in it, in the order they were begun."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - started
