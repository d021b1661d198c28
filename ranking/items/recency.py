"""The newest items of a table: sorted once a table, walked until enough of them are allowed."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from reelrank.ranking.items.builder import UNKNOWN_DAY
from reelrank.ranking.items.table import ItemTable, Rows

INITIAL_SCAN_ROWS = 1024
"""Rows tried at first; ten times as many in each further look."""


def find_newest(table: ItemTable, limit: int, is_allowed: Callable[[Rows], NDArray[np.bool_]]) -> Rows:
    """The `limit` last published rows that are allowed, ties by row; none without a stated day."""
    order = _sort_newest_first(table)
    found, start, look = np.empty(0, np.intp), 0, max(INITIAL_SCAN_ROWS, limit)
    while len(found) < limit and start < len(order):
        rows = order[start : start + look]
        found = np.concatenate([found, rows[is_allowed(rows)]])
        start, look = start + look, look * 10
    return found[:limit]


@lru_cache(maxsize=2)
def _sort_newest_first(table: ItemTable) -> Rows:
    """Two tables are kept: the one that serves and the one that takes its place."""
    rows = np.flatnonzero(table.published_day != UNKNOWN_DAY)
    return rows[np.lexsort((rows, -table.published_day[rows].astype(np.int64)))]
