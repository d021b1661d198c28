"""An index from item ids to rows by sorted 64-bit hashes, which is faster than searching sorted strings."""

import numpy as np
from numpy.typing import NDArray

from reelrank.index_mappings.match import ID_DTYPE, ItemIds

MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio (Knuth, TAOCP 3, 6.4)
MULTIPLIERS = np.random.default_rng(8).integers(1, 2**64, 64, np.uint64) | np.uint64(1)
"""One per eight bytes, so that a hash depends on the order of bytes; odd, so that products lose no bits."""
SHIFT = np.uint64(29)
Rows = NDArray[np.intp]


class RowIndex:
    """The rows of distinct ids [N]. If two ids have the same hash, the strings are searched instead."""

    def __init__(self, ids: ItemIds) -> None:
        self._ids = ids
        hashes = hash_ids(ids)
        self._rows = np.argsort(hashes)
        self._hashes = hashes[self._rows]
        self._are_hashes_unique = bool((self._hashes[1:] != self._hashes[:-1]).all())

    def find_rows(self, ids: ItemIds) -> Rows:
        """Returns the row [n] of each id, -1 for an unknown id."""
        if not len(self._ids):
            return np.full(len(ids), -1, np.intp)
        if not self._are_hashes_unique:
            return self._search_strings(ids)
        hashes = hash_ids(ids)
        order = np.argsort(hashes)  # sorted lookups take half the time, as they hit the same cache lines
        found = np.empty(len(ids), np.intp)
        found[order] = np.searchsorted(self._hashes, hashes[order])
        rows: Rows = self._rows[np.minimum(found, len(self._rows) - 1)]
        rows[self._ids[rows] != ids] = -1
        return rows

    def _search_strings(self, ids: ItemIds) -> Rows:
        order = np.argsort(self._ids)
        found = np.searchsorted(self._ids, ids, sorter=order)
        rows: Rows = order[np.minimum(found, len(order) - 1)]
        return np.where(self._ids[rows] == ids, rows, -1)


def hash_ids(ids: ItemIds) -> NDArray[np.uint64]:
    """Hashes the bytes of each id [n], eight at a time. Zero padding does not change a hash."""
    words = np.ascontiguousarray(ids, ID_DTYPE).view(np.uint64).reshape(len(ids), ID_DTYPE.itemsize // 8)
    hashes = np.zeros(len(ids), np.uint64)
    for column, multiplier in zip(words.T, MULTIPLIERS, strict=False):
        if column.any():
            mixed = column * multiplier
            mixed ^= mixed >> SHIFT
            hashes += mixed * MULTIPLIER
    return hashes
