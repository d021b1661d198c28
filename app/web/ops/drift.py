"""What the operator pages show of drift: a row and a small picture for each distribution that moved."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reelrank.ranking.drift.distances import Distance
from reelrank.ranking.drift.kept_report import KeptDrift, read_drift
from reelrank.ranking.drift.report import SeriesDrift

WIDTH, HEIGHT, GAP = 132, 48, 2
MAX_OPEN = 12
"""Rows that stand open; a click shows the rest."""
MAX_QUIET = 5
"""Features that did not drift are shown up to so many, largest PSI times gain first; the rest are counted."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bin in a picture. before, now: heights from the lower edge. label: for the tooltip."""

    x: float
    width: float
    before: float
    now: float
    label: str


@dataclass(frozen=True, slots=True)
class DriftRow:
    """One distribution. bars: of its bins; the last is of missing values, where there are any."""

    series: SeriesDrift
    bars: tuple[Bar, ...]
    width: int = WIDTH
    height: int = HEIGHT


@dataclass(frozen=True, slots=True)
class DriftView:
    """The newest report. rows: what drifted, then all that is no feature, then a few features; `more` are the
    rest of them, which a click shows."""

    kept: KeptDrift
    rows: Sequence[DriftRow]
    more: Sequence[DriftRow]
    left_out: int


def read_drift_view(reports_dir: Path) -> DriftView | None:
    """Reads the newest report; None before drift was measured."""
    kept = read_drift(reports_dir)
    if kept is None:
        return None
    always, quiet = kept.report.split_quiet_features()
    rows = [DriftRow(one, draw_bars(one.distance)) for one in (*always, *quiet[:MAX_QUIET])]
    return DriftView(kept, rows[:MAX_OPEN], rows[MAX_OPEN:], len(quiet[MAX_QUIET:]))


def draw_bars(distance: Distance) -> tuple[Bar, ...]:
    """Draws a pair of bars for each bin: its share before and now."""
    pairs = list(zip(distance.before, distance.now, strict=True))
    if pairs and not any(pairs[-1]):
        pairs.pop()  # nothing is missing
    names = [f"from {edge:.4g}" for edge in distance.edges] + ["missing"]
    highest = max((max(pair) for pair in pairs), default=0.0) or 1.0
    step = WIDTH / max(len(pairs), 1)
    return tuple(
        Bar(
            round(n * step, 1),
            round((step - GAP) / 2, 1),
            round(HEIGHT * before / highest, 1),
            round(HEIGHT * now / highest, 1),
            f"{name}: {before:.1%} before, {now:.1%} now",
        )
        for n, (name, (before, now)) in enumerate(zip(names, pairs, strict=False))
    )
