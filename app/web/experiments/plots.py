"""Pictures of an experiment as coordinates of SVG: lifts with their intervals, and the lift by day."""

from collections.abc import Sequence
from dataclasses import dataclass

from reelrank.app.web.ops.charts import LineChart, build_line_chart
from reelrank.ranking.evaluation.intervals import Interval
from reelrank.ranking.experiments.measurement.interleaving import InterleavingReport
from reelrank.ranking.experiments.measurement.report import DayEffect, MetricEffect

WIDTH, ROW_HEIGHT, MARGIN = 640, 34, 10
LABEL_WIDTH = 300
MIN_SPAN = 0.01
"""Half of the axis, at least: an axis of nothing has no middle."""


@dataclass(frozen=True, slots=True)
class ForestRow:
    """One lift. low, high: of the fixed-horizon interval; any_low, any_high: of the one for any look; all are
    x coordinates. tone: `up`, `down` or empty, by the interval for any look."""

    label: str
    y: float
    lift: float
    low: float
    high: float
    any_low: float
    any_high: float
    text: str
    tone: str


@dataclass(frozen=True, slots=True)
class ForestPlot:
    """Rows of lifts on one axis; zero: where it is 0."""

    rows: tuple[ForestRow, ...]
    zero: float
    left: str
    right: str
    width: int
    height: int
    label_width: int = LABEL_WIDTH


def build_forest(effects: Sequence[MetricEffect]) -> ForestPlot | None:
    """Draws the lifts that are known; None without any."""
    known = [one for one in effects if one.lift is not None]
    bounds = [abs(part) for one in known for part in (one.any_low, one.any_high) if part is not None]
    if not bounds:
        return None
    span = max(*bounds, MIN_SPAN)

    def locate(lift: float | None) -> float:
        share = 0.5 + (lift or 0.0) / (2 * span)
        return round(LABEL_WIDTH + MARGIN + share * (WIDTH - LABEL_WIDTH - 2 * MARGIN), 1)

    rows = tuple(
        ForestRow(
            f"{one.title}, {one.arm}",
            ROW_HEIGHT * (number + 0.5),
            locate(one.lift),
            locate(one.low),
            locate(one.high),
            locate(one.any_low),
            locate(one.any_high),
            describe_effect(one),
            choose_tone(one),
        )
        for number, one in enumerate(known)
    )
    height = ROW_HEIGHT * len(rows)
    return ForestPlot(rows, locate(0.0), f"{-span:+.1%}", f"{span:+.1%}", WIDTH, height)


def describe_effect(one: MetricEffect) -> str:
    """Describes a lift for people who cannot see the picture."""
    if one.lift is None or one.any_low is None or one.any_high is None:
        return "not known"
    return f"{one.lift:+.1%} ({one.any_low:+.1%} to {one.any_high:+.1%} at any look)"


def choose_tone(one: MetricEffect) -> str:
    if one.any_low is not None and one.any_low > 0:
        return "up"
    return "down" if one.any_high is not None and one.any_high < 0 else ""


def build_day_charts(days: Sequence[DayEffect], title: str) -> list[LineChart]:
    """Draws the lift by day of each arm: one that fades is novelty."""
    arms = list(dict.fromkeys(one.arm for one in days))
    charts = [
        build_line_chart(
            f"{title}, {arm}",
            [(one.day, Interval(one.lift, one.low, one.high)) for one in days if one.arm == arm],
            "{:+.1%}",
        )
        for arm in arms
    ]
    return [chart for chart in charts if chart is not None]


def draw_preference(report: InterleavingReport) -> LineChart | None:
    """Draws the share of the second arm by day; None with too few days."""
    title = f"Share of used items, {report.teams[1].arm}"
    days = [(one.day, Interval(one.value, one.low, one.high)) for one in report.by_day]
    return build_line_chart(title, days, "{:.1%}")
