"""Columns of signals: a float32 for each of n candidates. A fact that all of them share is stored once.

Such a column reads as [n] and has a stride of zero, which is what marks it; it is not to be written to.
"""

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.float32]


def make_shared_column(value: float, n: int) -> Column:
    """For a fact of the request, of the viewer, or of a source that was not asked."""
    return np.broadcast_to(np.float32(value), (n,))


def is_shared(column: Column) -> bool:
    return column.strides == (0,)


def compact_column(column: Column) -> Column:
    """What there is of it in memory: [1] of a shared fact, which broadcasts, else all of it."""
    return column[:1] if is_shared(column) else column


def take_rows(column: Column, rows: NDArray[np.intp]) -> Column:
    """The column of these rows alone; a shared fact stays one."""
    return np.broadcast_to(column[:1], (len(rows),)) if is_shared(column) else column[rows]
