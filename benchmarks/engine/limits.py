"""What the figures are held to: the aims, and the wide margins by which a noisy machine judges them."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Limit:
    """path: where the figure is; `*` stands for each. Breached under `least` or over `most`."""

    path: tuple[str, ...]
    least: float = float("-inf")
    most: float = float("inf")

    def breaches(self, figures: Any, path: tuple[str, ...] = ()) -> list[str]:
        if len(path) == len(self.path):
            within = self.least <= figures <= self.most
            return [] if within else [f"{' / '.join(path)} is {figures}, not {self}"]
        wanted = self.path[len(path)]
        names = list(figures) if wanted == "*" else [wanted]
        return [breach for name in names for breach in self.breaches(figures[name], (*path, name))]

    def __str__(self) -> str:
        return f"at least {self.least}" if self.most == float("inf") else f"at most {self.most}"


AIMS = (
    Limit(("words", "*", "ratio_p50"), most=1.5),
    Limit(("words", "*", "ratio_p99"), most=1.5),
    Limit(("vectors", "*", "*", "recall"), least=0.95),
    Limit(("vectors", "*", "*", "ratio_p50"), most=1.5),
    Limit(("vectors", "*", "*", "ratio_p99"), most=1.5),
    Limit(("loading", "ratio"), least=0.5),
    Limit(("fetch_20", "ours_p50"), most=1.0),
)
MARGINS = (
    Limit(("words", "*", "ratio_p50"), most=4.0),
    Limit(("vectors", "*", "*", "recall"), least=0.90),
    Limit(("vectors", "*", "*", "ratio_p50"), most=6.0),
    Limit(("loading", "processor_ratio"), least=0.15),
    Limit(("worker", "seen_after_s", "upsert"), most=4.0),
    Limit(("worker", "seen_after_s", "promote back"), most=4.0),
)


def breaches(figures: Any, limits: tuple[Limit, ...]) -> list[str]:
    return [breach for limit in limits for breach in limit.breaches(figures)]
