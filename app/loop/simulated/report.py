"""What a simulation of the loop showed: a row for each release, and whether all of it happened."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reelrank.app.loop.simulated.true_effect import TrueEffect


@dataclass(frozen=True, slots=True)
class Row:
    """One release. wanted: steps and outcomes, any of which is right; decided: what it was.

    effect: on watch time by the truth; None where nothing served before, or where nothing was built. failed:
    names of the checks that failed. figures: of the decision that says why, such as how many viewers a
    canary had.
    """

    release: str
    made: str
    wanted: tuple[tuple[str, str], ...]
    decided: tuple[str, str]
    sentence: str
    failed: tuple[str, ...]
    effect: TrueEffect | None
    seconds: float
    figures: Mapping[str, float] = field(default_factory=dict)

    @property
    def happened(self) -> bool:
        return self.decided in self.wanted

    @property
    def verdict(self) -> str:
        return describe_outcome(self.decided)

    @property
    def wanted_verdict(self) -> str:
        return " or ".join(map(describe_outcome, self.wanted))

    def to_json(self) -> dict[str, Any]:
        effect = self.effect
        return {
            "release": self.release,
            "made": self.made,
            "wanted": self.wanted_verdict,
            "verdict": self.verdict,
            "happened": self.happened,
            "sentence": self.sentence,
            "failed_checks": self.failed,
            "figures": self.figures,
            "seconds": round(self.seconds, 1),
            "true_minutes_per_page": None if effect is None else effect.minutes,
            "true_minutes_of_serving": None if effect is None else effect.serving_minutes,
            "true_difference": None
            if effect is None
            else [effect.difference.mean, effect.difference.low, effect.difference.high],
        }


def describe_outcome(decided: tuple[str, str]) -> str:
    """Returns an outcome with its step."""
    step, outcome = decided
    return f"{outcome} ({step})"


@dataclass(slots=True)
class LoopReport:
    """All rows of a seed. pages: that were served, failed: of those that were asked for."""

    seed: int
    directory: Path
    rows: list[Row] = field(default_factory=list)
    pages: int = 0
    failed: int = 0
    seconds: float = 0.0
    cpu_s: float = 0.0

    @property
    def happened(self) -> bool:
        """Returns whether all rows went as they must, and no page failed."""
        return bool(self.rows) and all(row.happened for row in self.rows) and not self.failed

    def to_json(self) -> dict[str, Any]:
        return {
            "seed": self.seed,
            "directory": str(self.directory),
            "happened": self.happened,
            "pages": self.pages,
            "failed_pages": self.failed,
            "seconds": round(self.seconds, 1),
            "cpu_seconds": round(self.cpu_s, 1),
            "rows": [row.to_json() for row in self.rows],
        }
