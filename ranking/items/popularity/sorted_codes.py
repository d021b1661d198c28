"""Sorted codes of viewers and of pairs: where they are, how they group by day, and sorted rows."""

import numpy as np
from numpy.typing import NDArray

from reelrank.ranking.items.watch_columns import Codes

Rows = NDArray[np.intp]


def find_codes(sorted_codes: Codes, wanted: Codes) -> tuple[Rows, NDArray[np.bool_]]:
    """Returns the position [n] of each wanted code, and whether it is there."""
    positions = np.minimum(np.searchsorted(sorted_codes, wanted), max(len(sorted_codes) - 1, 0))
    if not len(sorted_codes):
        return positions, np.zeros(len(wanted), bool)
    return positions, np.asarray(sorted_codes[positions] == wanted, bool)


def order_with_new(sorted_codes: Codes, new: Codes) -> Rows:
    """Returns the order [n + k] that sorts n sorted codes with k new sorted ones behind them."""
    old = np.arange(len(sorted_codes))
    return np.insert(old, np.searchsorted(sorted_codes, new), len(old) + np.arange(len(new)))


def unite_rows(size: int, *lists: Rows) -> Rows:
    """Returns the sorted rows, of `size`, that are in any of the lists."""
    is_listed = np.zeros(size, bool)
    is_listed[np.concatenate(lists)] = True
    return np.flatnonzero(is_listed)


def group_days(owners: Rows, days: NDArray[np.integer]) -> tuple[Rows, Rows]:
    """Returns the order [n] that sorts by owner and day, and where in it each pair of both begins."""
    order = np.lexsort((days, owners))
    is_first = np.diff(owners[order], prepend=-1).astype(bool)
    is_first |= np.diff(days[order], prepend=days.dtype.type(-2)).astype(bool)
    return order, np.flatnonzero(is_first)


def read_flags(viewers: Codes, flags: NDArray[np.bool_], wanted: Codes) -> NDArray[np.bool_]:
    """Returns the flag [n] of each wanted viewer; False where the viewer is not known."""
    positions, found = find_codes(viewers, wanted)
    return found & flags[positions] if len(viewers) else found
