"""Sorted codes of viewers and of pairs: where they are, and how they group by day."""

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
