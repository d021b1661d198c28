"""The newest items of a table. The order is computed once per table and scanned for allowed items."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from reelrank.ranking.items.builder import UNKNOWN_DAY
from reelrank.ranking.items.table import ItemTable, Rows

INITIAL_SCAN_ROWS = 1024
"""Rows scanned first; each further scan is ten times as long, so few scans find a rare item."""


def find_newest(table: ItemTable, limit: int, is_allowed: Callable[[Rows], NDArray[np.bool_]]) -> Rows:
    """Returns the `limit` last published allowed rows, ties by row; items without a date are left out."""
    order = _sort_newest_first(table)
    found, start, count = np.empty(0, np.intp), 0, max(INITIAL_SCAN_ROWS, limit)
    while len(found) < limit and start < len(order):
        rows = order[start : start + count]
        found = np.concatenate([found, rows[is_allowed(rows)]])
        start, count = start + count, count * 10
    return found[:limit]


@lru_cache(maxsize=2)
def _sort_newest_first(table: ItemTable) -> Rows:
    """Sorts rows by date; cached for two tables, the serving one and its successor."""
    rows = np.flatnonzero(table.published_day != UNKNOWN_DAY)
    return rows[np.lexsort((rows, -table.published_day[rows].astype(np.int64)))]
