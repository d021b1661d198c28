"""A stopwatch: how long each stage of one request took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Stages:
    """seconds: stage to the time spent in it, in the order they were begun."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started
