"""Lines with their 95 % band, as coordinates of an SVG that the page draws."""

from collections.abc import Sequence
from dataclasses import dataclass

from reelrank.ranking.evaluation.intervals import Interval

WIDTH, HEIGHT = 320, 120
LEFT, RIGHT, TOP, BOTTOM = 4, 4, 8, 8


@dataclass(frozen=True, slots=True)
class Point:
    """One day of a line. x, y: of its mean. label: what it says, for the tooltip and screen readers."""

    x: float
    y: float
    label: str


@dataclass(frozen=True, slots=True)
class LineChart:
    """A line over time. band: the corners of the 95 % intervals, as SVG points; line: those of the means.

    low, high: what the lower and upper edge of the picture stand for. newest: the last value, with interval.
    """

    title: str
    points: tuple[Point, ...]
    band: str
    line: str
    low: str
    high: str
    newest: str
    width: int = WIDTH
    height: int = HEIGHT


def build_line_chart(title: str, days: Sequence[tuple[str, Interval]], pattern: str) -> LineChart | None:
    """Builds the chart of a measure by day. pattern: how values are written, such as `{:.1%}`.

    None without days.
    """
    if not days:
        return None
    low = min(0.0, *(interval.low for _, interval in days))
    high = max(interval.high for _, interval in days)
    span = (high - low) or 1.0
    step = (WIDTH - LEFT - RIGHT) / max(len(days) - 1, 1)

    def locate_y(value: float) -> float:
        return round(HEIGHT - BOTTOM - (value - low) / span * (HEIGHT - TOP - BOTTOM), 1)

    xs = [round(LEFT + n * step, 1) for n in range(len(days))]
    rows = list(zip(xs, days, strict=True))
    upper = [f"{x},{locate_y(interval.high)}" for x, (_, interval) in rows]
    lower = [f"{x},{locate_y(interval.low)}" for x, (_, interval) in reversed(rows)]
    points = tuple(
        Point(x, locate_y(interval.mean), f"{day}: {describe_interval(interval, pattern)}")
        for x, (day, interval) in rows
    )
    return LineChart(
        title,
        points,
        " ".join(upper + lower),
        " ".join(f"{point.x},{point.y}" for point in points),
        pattern.format(low),
        pattern.format(high),
        describe_interval(days[-1][1], pattern),
    )


def describe_interval(interval: Interval, pattern: str) -> str:
    """Describes a mean with its interval, such as `4.1% (3.0% to 5.2%)`."""
    mean, low, high = (pattern.format(value) for value in (interval.mean, interval.low, interval.high))
    return f"{mean} ({low} to {high})"
