"""A feature: a name, a group, the signals it reads, and a pure function of their columns."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from reelrank.ranking.column import Column

Columns = Mapping[str, Column]
Formula = Callable[..., Column]

MISSING_STAYS = "NaN, which LightGBM sends its own way"
MISSING_IS_ZERO = "0"
Direction = Literal[-1, 0, 1]
"""-1: a model may only lower the score as the feature grows; 1: only raise it; 0: as it learns."""


@dataclass(frozen=True, slots=True, eq=False)
class Feature:
    """A feature: what it reads, and how it is computed.

    formula: takes a column of each signal it reads, then its constants, and gives values, NaN where
    missing; element by element. description: one line on what it tells. direction: see `Direction`.

    A column is [n], or [1] where all candidates share the value. For features that share a formula it is a
    block [k, n] or [k, 1], and a constant is [k, 1]: they are computed together. So a formula must not
    count candidates by a column's length, sum over one, or write into one.
    """

    name: str
    group: str
    reads: tuple[str, ...]
    description: str
    formula: Formula
    missing: str = MISSING_STAYS
    constants: tuple[float, ...] = ()
    direction: Direction = 0

    def derive(self, columns: Columns) -> Column:
        """Computes the values from columns [n] or [1] of the signals it reads."""
        return self.formula(*(columns[name] for name in self.reads), *map(np.float32, self.constants))


def return_unchanged(signal: Column) -> Column:
    """Returns the formula of a feature that is an unchanged signal."""
    return signal


def pass_through(
    signal: str, group: str, description: str, missing: str = MISSING_STAYS, direction: Direction = 0
) -> Feature:
    return Feature(signal, group, (signal,), description, return_unchanged, missing, direction=direction)


def to_nan_mask(column: Column) -> Column:
    """Returns 0, or NaN where the column is NaN or infinite; to be added. Half the time of `np.where`."""
    return column * np.float32(0)
