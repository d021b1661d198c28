"""Limits of the figures: the aims, and wide margins for noisy machines."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Limit:
    """A range that a measured figure has to be in.

    path: keys that lead to the figure; `*` stands for every key. minimum and maximum are inclusive.
    """

    path: tuple[str, ...]
    minimum: float = float("-inf")
    maximum: float = float("inf")

    def find_breaches(self, figures: Any, path: tuple[str, ...] = ()) -> list[str]:
        if len(path) == len(self.path):
            within = self.minimum <= figures <= self.maximum
            return [] if within else [f"{' / '.join(path)} is {figures}, not {self}"]
        key = self.path[len(path)]
        names = list(figures) if key == "*" else [key]
        return [breach for name in names for breach in self.find_breaches(figures[name], (*path, name))]

    def __str__(self) -> str:
        return f"at least {self.minimum}" if self.maximum == float("inf") else f"at most {self.maximum}"


AIMS = (
    Limit(("words", "*", "ratio_p50"), maximum=1.5),
    Limit(("words", "*", "ratio_p99"), maximum=1.5),
    Limit(("vectors", "*", "*", "recall"), minimum=0.95),
    Limit(("vectors", "*", "*", "ratio_p50"), maximum=1.5),
    Limit(("vectors", "*", "*", "ratio_p99"), maximum=1.5),
    Limit(("loading", "ratio"), minimum=0.5),
    Limit(("fetch_20", "ours_p50"), maximum=1.0),
)
MARGINS = (
    Limit(("words", "*", "ratio_p50"), maximum=4.0),
    Limit(("vectors", "*", "*", "recall"), minimum=0.90),
    Limit(("vectors", "*", "*", "ratio_p50"), maximum=6.0),
    Limit(("loading", "processor_ratio"), minimum=0.15),
    Limit(("worker", "seen_after_s", "upsert"), maximum=4.0),
    Limit(("worker", "seen_after_s", "promote back"), maximum=4.0),
)


def find_breaches(figures: Any, limits: tuple[Limit, ...]) -> list[str]:
    return [breach for limit in limits for breach in limit.find_breaches(figures)]
