"""What a simulation measured: click-through and watch time, as observed and as the truth expects."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reelrank.app.simulation.behaviour import Outcomes, Reactions, Truth
from reelrank.app.simulation.viewers import Visits
from reelrank.index_mappings.event import DAY_MS, MINUTE_MS
from reelrank.ranking.evaluation.intervals import Interval, bootstrap_ratio

TOTALS = (
    "impressions", "viewed", "expected_viewed", "clicks", "expected_clicks", "minutes", "expected_minutes",
    "uses", "expected_uses", "used_s", "expected_used_s", "pages",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Measure:
    """A rate by impression as it was observed, with its interval over viewers, and as the truth expects it.

    difference: observed less expected, paired by viewer.
    """

    observed: Interval
    expected: float
    difference: Interval


@dataclass(slots=True)
class TrafficReport:
    """Totals of each viewer [v], and of each day."""

    viewers: int
    start_ms: int
    totals: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    by_day: list[dict[str, float]] = field(default_factory=list)
    failed_pages: int = 0

    def __post_init__(self) -> None:
        self.totals = {name: np.zeros(self.viewers) for name in TOTALS}

    def add(self, visits: Visits, truth: Truth, reactions: Reactions, outcomes: Outcomes) -> None:
        """Adds pages. A page without any film failed, and counts as no page."""
        is_shown = truth.examination > 0
        columns = {
            "impressions": is_shown,
            "viewed": reactions.is_viewed,
            "expected_viewed": truth.examination,
            "clicks": reactions.is_clicked,
            "expected_clicks": truth.clicks,
            "minutes": reactions.shares * truth.duration_ms / MINUTE_MS,
            "expected_minutes": truth.watched_ms / MINUTE_MS,
        }
        sums = {name: np.asarray(values.sum(axis=1), np.float64) for name, values in columns.items()}
        sums |= {"uses": outcomes.uses, "expected_uses": outcomes.expected_uses}
        sums |= {
            "used_s": outcomes.watched_ms / 1000,
            "expected_used_s": outcomes.expected_watched_ms / 1000,
        }
        sums["pages"] = np.asarray(is_shown.any(axis=1), np.float64)
        self.failed_pages += int(len(visits) - sums["pages"].sum())
        day = int((visits.at_ms[0] - self.start_ms) // DAY_MS) if len(visits) else 0
        self.by_day += [dict.fromkeys(TOTALS, 0.0) for _ in range(day + 1 - len(self.by_day))]
        for name, values in sums.items():
            self.totals[name][visits.rows] += values
            self.by_day[day][name] += float(values.sum())

    @property
    def ctr(self) -> Measure:
        """Returns clicks by impression."""
        return self._measure("clicks", "expected_clicks")

    @property
    def watch_time(self) -> Measure:
        """Returns minutes watched by impression."""
        return self._measure("minutes", "expected_minutes")

    @property
    def as_served(self) -> dict[str, Measure]:
        """Returns what `evaluate --as served` measures, by its names: by impression that was seen, films that
        were started within the window of their page, and the seconds that these were watched."""
        seen, expected_seen = self.totals["viewed"], self.totals["expected_viewed"]
        return {
            name: Measure(
                estimate_ratio(self.totals[observed], seen),
                float(self.totals[f"expected_{observed}"].sum() / max(expected_seen.sum(), 1)),
                estimate_ratio(self.totals[observed] - self.totals[f"expected_{observed}"], seen),
            )
            for name, observed in (("ctr", "uses"), ("watch_s_per_impression", "used_s"))
        }

    def to_json(self) -> dict[str, Any]:
        """Returns the report as JSON values."""
        counts = {name: float(values.sum()) for name, values in self.totals.items()}
        return {
            "viewers_seen": int((self.totals["pages"] > 0).sum()),
            "failed_pages": self.failed_pages,
            **{name: round(counts[name]) for name in ("pages", "impressions", "viewed", "clicks")},
            "ctr": _to_json(self.ctr),
            "minutes_per_impression": _to_json(self.watch_time),
            "as_served": {name: _to_json(measure) for name, measure in self.as_served.items()},
            "by_day": [_describe_day(day) for day in self.by_day],
        }

    def _measure(self, observed: str, expected: str) -> Measure:
        known, wanted, shown = self.totals[observed], self.totals[expected], self.totals["impressions"]
        return Measure(
            estimate_ratio(known, shown),
            float(wanted.sum() / max(shown.sum(), 1)),
            estimate_ratio(known - wanted, shown),
        )


def estimate_ratio(amounts: NDArray[np.float64], counts: NDArray[np.float64], seed: int = 0) -> Interval:
    """Returns sum(amounts) / sum(counts) of viewers [v] with its bootstrap interval over viewers.

    Raises ValueError when nothing was counted.
    """
    if not counts.any():
        raise ValueError("no page was served, so there is nothing to measure")
    return bootstrap_ratio(amounts, counts, np.arange(len(counts)).astype(np.str_), seed)


def _describe_day(day: dict[str, float]) -> dict[str, float]:
    shown = max(day["impressions"], 1)
    return {
        "pages": day["pages"],
        "impressions": day["impressions"],
        "ctr": day["clicks"] / shown,
        "expected_ctr": day["expected_clicks"] / shown,
        "minutes_per_impression": day["minutes"] / shown,
        "expected_minutes_per_impression": day["expected_minutes"] / shown,
    }


def _to_json(measure: Measure) -> dict[str, float]:
    observed = measure.observed
    return {
        "observed": observed.mean,
        "low": observed.low,
        "high": observed.high,
        "expected": measure.expected,
    }
