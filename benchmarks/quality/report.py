"""A quality report: systems and their measures with intervals, goals and notes; as JSON, Markdown and SVG."""

import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson

from benchmarks.machine import describe_machine
from benchmarks.markdown import format_table
from reelrank.ranking.evaluation.intervals import Interval

Value = Interval | float
LIBRARIES = ("lightgbm", "implicit", "tantivy", "wordllama", "numpy")
OURS, PUBLISHED = "#0072B2", "#D55E00"
"""Blue and vermilion of Okabe & Ito 2008, for colour-blind readers; the markers differ too."""


@dataclass(frozen=True, slots=True)
class Row:
    """A system and its measures by name. A value without an interval is a published figure or a cost."""

    system: str
    measures: dict[str, Value]


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure that must be at least `minimum`."""

    name: str
    value: float
    minimum: float

    @property
    def is_met(self) -> bool:
        return self.value >= self.minimum

    def __str__(self) -> str:
        return (
            f"{'met' if self.is_met else 'MISSED'}: {self.name} {self.value:.4f}, at least {self.minimum:g}"
        )


@dataclass(frozen=True, slots=True)
class Report:
    """The results of one part of the quality benchmark.

    name: of the files. plotted: the measure of the plot and first column. notes: lines below the table.
    """

    name: str
    title: str
    plotted: str
    rows: Sequence[Row]
    goals: Sequence[Goal] = ()
    notes: Sequence[str] = ()
    chosen: dict[str, Any] = field(default_factory=dict)

    @property
    def measures(self) -> list[str]:
        named = dict.fromkeys(name for row in self.rows for name in row.measures)
        return [self.plotted, *(name for name in named if name != self.plotted)]

    def format_table(self) -> str:
        """Returns the table as Markdown, with an empty cell where a measure does not apply."""
        rows = (
            [row.system, *(_format_cell(row.measures.get(name)) for name in self.measures)]
            for row in self.rows
        )
        return format_table(["system", *self.measures], rows)

    def format_text(self) -> str:
        """Returns title, table, goals and notes as Markdown."""
        parts = [f"## {self.title}\n", self.format_table(), ""]
        parts += [f"- {goal}" for goal in self.goals] + [f"- {note}" for note in self.notes]
        return "\n".join(parts) + "\n"


def _format_cell(value: Value | None) -> str:
    if value is None:
        return ""
    return str(value) if isinstance(value, Interval) else f"{value:.4g}"


def write_report(report: Report, directory: Path, seconds: float) -> None:
    """Writes quality-NAME.json, .md and .svg."""
    directory.mkdir(parents=True, exist_ok=True)
    content = {"made": _describe_run(seconds), **asdict(report)}
    stem = directory / f"quality-{report.name}"
    stem.with_suffix(".json").write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2) + b"\n")
    stem.with_suffix(".md").write_text(report.format_text(), encoding="utf-8")
    _write_plot(report, stem.with_suffix(".svg"))


def _describe_run(seconds: float) -> dict[str, Any]:
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": " ".join(["python -m benchmarks", *sys.argv[1:]]),
        "seconds": round(seconds),
        "cores": os.cpu_count(),
        "processor": describe_machine()["processor"],
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in LIBRARIES},
    }


def _write_plot(report: Report, path: Path) -> None:
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
