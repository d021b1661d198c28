"""What experiments measure: ratios of two totals of a viewer."""

from collections.abc import Mapping
from dataclasses import dataclass

VIEWERS = "viewers"
"""A denominator that is 1 for each viewer."""


@dataclass(frozen=True, slots=True)
class Metric:
    """The sum of `numerator` over that of `denominator`, over viewers; names of columns of `ViewerTotals`.

    pattern: how a value is written. has_past: whether the 14 days before can narrow its interval.
    """

    title: str
    numerator: str
    denominator: str
    pattern: str = "{:.4f}"
    has_past: bool = True


METRICS: Mapping[str, Metric] = {
    "ctr": Metric("Click-through rate of seen items", "used", "seen", "{:.2%}"),
    "watch_s_per_impression": Metric("Seconds watched of a seen item", "watched_s", "seen", "{:,.2f}"),
    "watch_s_per_viewer": Metric("Seconds watched by a viewer", "watched_s", VIEWERS, "{:,.1f}"),
    "conversion": Metric("Viewers who converted", "converted", "convertible", "{:.2%}", has_past=False),
    "completion": Metric("Plays that were completed", "completed", "played", "{:.2%}"),
    "return_next_day": Metric(
        "Viewers who came back the next day", "returned", "returnable", "{:.2%}", has_past=False
    ),
}
"""used: items that were clicked or played. convertible, returnable: 1 for a viewer whose time is over."""
