"""What the viewers of an experiment did: totals of each, by day and surface, as columns."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reelrank.ranking.distinct import sort_distinct
from reelrank.ranking.experiments.measurement.metrics import VIEWERS

Values = NDArray[np.float64]
Columns = Mapping[str, Values]
ACTIONS = ("pages", "seen", "used", "played", "completed", "watched_s")
"""What is added up by viewer, day and surface. used: items that were clicked or played."""


@dataclass(frozen=True, slots=True, eq=False)
class ViewerDays:
    """Rows [r]: what one viewer did on one day on one surface. viewer: row of the viewer. day: since 1970."""

    viewer: NDArray[np.int64]
    day: NDArray[np.int64]
    surface: NDArray[np.str_]
    columns: Columns

    def select(self, mask: NDArray[np.bool_]) -> "ViewerDays":
        columns = {name: column[mask] for name, column in self.columns.items()}
        return ViewerDays(self.viewer[mask], self.day[mask], self.surface[mask], columns)

    def __len__(self) -> int:
        return len(self.viewer)


@dataclass(frozen=True, slots=True, eq=False)
class ExperimentLog:
    """Viewers [n] of an experiment, in no order.

    arms: index of the arm of each. is_new: without a page in the days before the experiment. facts [n]:
    converted, convertible, returned and returnable, 0 or 1. past [n]: what they did in the days before.
    crossed: viewers with pages of two arms, who are left out.
    """

    arms: NDArray[np.int64]
    is_new: NDArray[np.bool_]
    facts: Columns
    past: Columns
    days: ViewerDays
    crossed: int = 0

    def __len__(self) -> int:
        return len(self.arms)

    def total(self, days: ViewerDays | None = None) -> "ViewerTotals":
        """Returns the totals of viewers; of those who did something, where `days` are only some of all."""
        rows, n = self.days if days is None else days, len(self)
        sums = {
            name: np.asarray(np.bincount(rows.viewer, column, n), np.float64)
            for name, column in rows.columns.items()
        }
        active = len(sort_distinct(rows.viewer * 100_000 + rows.day))
        ones = np.ones(n)
        columns = {**sums, **self.facts, VIEWERS: ones}
        whole = ViewerTotals(self.arms, columns, {**self.past, VIEWERS: ones}, active)
        return whole if days is None else whole.select(np.bincount(rows.viewer, minlength=n) > 0)

    def select(self, mask: NDArray[np.bool_]) -> "ExperimentLog":
        """Returns the log of some viewers."""
        kept = np.flatnonzero(mask)
        row = np.full(len(self), -1, np.int64)
        row[kept] = np.arange(len(kept))
        days = self.days.select(mask[self.days.viewer])
        return ExperimentLog(
            self.arms[mask],
            self.is_new[mask],
            {name: column[mask] for name, column in self.facts.items()},
            {name: column[mask] for name, column in self.past.items()},
            ViewerDays(row[days.viewer], days.day, days.surface, days.columns),
            self.crossed,
        )


@dataclass(frozen=True, slots=True, eq=False)
class ViewerTotals:
    """Totals of viewers [n] by name, and those of the days before. active_days: of all viewers together."""

    arms: NDArray[np.int64]
    columns: Columns
    past: Columns
    active_days: int

    def __len__(self) -> int:
        return len(self.arms)

    def select(self, mask: NDArray[np.bool_]) -> "ViewerTotals":
        return ViewerTotals(
            self.arms[mask],
            {name: column[mask] for name, column in self.columns.items()},
            {name: column[mask] for name, column in self.past.items()},
            self.active_days,
        )
