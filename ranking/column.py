"""Columns of signals: a float32 for each candidate. A fact that all of them share is held once."""

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.float32]


def shared(fact: float, n: int) -> Column:
    """A fact of the request, the viewer or a source: read as [n], held once, not to be written to."""
    return np.broadcast_to(np.float32(fact), (n,))


def held(column: Column) -> Column:
    """What there is of it in memory: [1] of a shared fact, which broadcasts, else the column [n]."""
    return column[:1] if column.strides == (0,) else column


def taken(column: Column, rows: NDArray[np.intp]) -> Column:
    """The column of these rows alone; a shared fact stays one."""
    return np.broadcast_to(column[:1], (len(rows),)) if column.strides == (0,) else column[rows]
