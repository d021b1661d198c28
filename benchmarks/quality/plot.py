"""Plots one measure of every system of a report with its interval, as SVG. No display is needed."""

from pathlib import Path

from benchmarks.quality.report import Report
from reelrank.ranking.evaluation.intervals import Interval

OURS, PUBLISHED = "#0072B2", "#D55E00"
"""Blue and vermilion of Okabe & Ito 2008, for colour-blind readers; the markers differ too."""


def write_plot(report: Report, path: Path) -> None:
    """Writes the plot of `report.plotted`. Measured values are dots, published values diamonds."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    rows = [row for row in report.rows if report.plotted in row.measures]
    figure = Figure(figsize=(9.0, 1.3 + 0.34 * len(rows)), layout="constrained")
    axes = figure.subplots()
    for y, row in enumerate(rows):
        value = row.measures[report.plotted]
        is_own = isinstance(value, Interval)
        mean = value.mean if isinstance(value, Interval) else value
        if isinstance(value, Interval):
            axes.hlines(y, value.low, value.high, color=OURS, linewidth=2.5)
        axes.plot(mean, y, "o" if is_own else "D", color=OURS if is_own else PUBLISHED, markersize=6)
        axes.annotate(f"{mean:.3f}", (mean, y), (0, 6), textcoords="offset points", ha="center", fontsize=8)
    intervals = [v for row in rows if isinstance(v := row.measures[report.plotted], Interval)]
    if any(interval.low < 0 for interval in intervals):
        axes.axvline(0, color="0.6", linewidth=1)
    axes.set_yticks(range(len(rows)), [row.system for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.7)
    axes.grid(axis="x", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    diamonds = ", diamonds published figures" if len(intervals) < len(rows) else ""
    axes.set_xlabel(f"{report.plotted}; bars are 95 % intervals{diamonds}")
    axes.set_title(report.title, loc="left", fontsize=11)
    with rc_context({"svg.hashsalt": report.name}):
        figure.savefig(path, metadata={"Date": None})
