"""A quality report: systems and their measures with intervals, goals and notes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.markdown import format_table
from reelrank.ranking.evaluation.intervals import Interval

Value = Interval | float


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
    """name: of the files. plotted: the measure of the plot and first column. notes: lines below the table."""

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
