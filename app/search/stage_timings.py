"""A stopwatch: how long each stage of one request took."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


class StageTimings:
    """Measures the stages of a request. seconds: of each stage, in the order in which they ended."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - started

    def add_sources(self, seconds: Mapping[str, float]) -> None:
        """Adds the seconds of each candidate source; sources run side by side within the stage `sources`."""
        self.seconds.update({f"source {source}": spent for source, spent in seconds.items()})
