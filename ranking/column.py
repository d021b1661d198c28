"""Columns of signals: one float32 per candidate [n]. A value that all candidates share is stored once.

A shared column is a read-only view of one element: its shape is [n] and its stride is 0.
"""

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.float32]


def make_shared_column(value: float, n: int) -> Column:
    """Returns a shared column, for a signal of the request or viewer or of a source that was not used."""
    return _repeat(np.full(1, value, np.float32), n)


def is_shared(column: Column) -> bool:
    """Returns whether the column stores one value for all candidates."""
    return column.strides == (0,)


def compact_column(column: Column) -> Column:
    """Returns the stored values: [1] of a shared column, which broadcasts, else all [n]."""
    return column[:1] if is_shared(column) else column


def take_rows(column: Column, rows: NDArray[np.intp]) -> Column:
    """Returns the column of the given rows; a shared column stays shared."""
    return _repeat(column[:1], len(rows)) if is_shared(column) else column[rows]


def find_best(column: Column) -> Column:
    """Returns the highest known value as a shared column [n]; NaN without one.

    A logged page holds some of its request's candidates: what compares them is observed, not derived.
    """
    return make_shared_column(np.fmax.reduce(compact_column(column), initial=np.nan), len(column))


def _repeat(element: Column, n: int) -> Column:
    """Returns what np.broadcast_to returns of one element [1], in a tenth of its time: a page has thirty."""
    column = np.ndarray((n,), np.float32, element, 0, (0,))
    column.flags.writeable = False
    return column
