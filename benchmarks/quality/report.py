"""A quality report: systems and their measures with intervals, goals, and the files they are written to."""

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


@dataclass(frozen=True, slots=True)
class Row:
    """One system, its measures by name; a bare number is one that somebody else published, or a cost."""

    system: str
    measures: dict[str, Value]


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure that must not be missed: `value` at least `least`."""

    what: str
    value: float
    least: float

    @property
    def is_met(self) -> bool:
        return self.value >= self.least

    def __str__(self) -> str:
        return f"{'met' if self.is_met else 'MISSED'}: {self.what} {self.value:.4f}, at least {self.least:g}"


@dataclass(frozen=True, slots=True)
class Report:
    """name: of its files. plotted: the measure drawn, and tabled first. notes: what a reader must know."""

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
        """As Markdown; an empty cell where a measure does not apply."""
        rows = (
            [row.system, *(_format_cell(row.measures.get(name)) for name in self.measures)]
            for row in self.rows
        )
        return format_table(["system", *self.measures], rows)

    def format_text(self) -> str:
        """The table under its title, with the goals and the notes."""
        parts = [f"## {self.title}\n", self.format_table(), ""]
        parts += [f"- {goal}" for goal in self.goals] + [f"- {note}" for note in self.notes]
        return "\n".join(parts) + "\n"


def write_report(report: Report, directory: Path, seconds: float) -> None:
    """quality-NAME.json, .md and .svg."""
    from benchmarks.quality.plot import write_plot

    directory.mkdir(parents=True, exist_ok=True)
    facts = {"made": _describe_run(seconds), **asdict(report)}
    stem = directory / f"quality-{report.name}"
    stem.with_suffix(".json").write_bytes(orjson.dumps(facts, option=orjson.OPT_INDENT_2) + b"\n")
    stem.with_suffix(".md").write_text(report.format_text(), encoding="utf-8")
    write_plot(report, stem.with_suffix(".svg"))


def _format_cell(value: Value | None) -> str:
    if value is None:
        return ""
    return str(value) if isinstance(value, Interval) else f"{value:.4g}"


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
