"""From item ids to rows: a sorted list of 64-bit hashes, made once a table, in place of sorted strings."""

import numpy as np
from numpy.typing import NDArray

from reelrank.index_mappings.match import ID_DTYPE, ItemIds

MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio (Knuth, TAOCP 3, 6.4)
MULTIPLIERS = np.random.default_rng(8).integers(1, 2**64, 64, np.uint64) | np.uint64(1)
"""One for each eight bytes, so that the same bytes elsewhere give another hash; odd, so that none is lost."""
SHIFT = np.uint64(29)
Rows = NDArray[np.intp]


class RowIndex:
    """Answers for ids [N] that hold each id once. Two ids of one hash make it search the strings."""

    def __init__(self, ids: ItemIds) -> None:
        self._ids = ids
        hashes = hash_ids(ids)
        self._rows = np.argsort(hashes)
        self._hashes = hashes[self._rows]
        self._are_hashes_unique = bool((self._hashes[1:] != self._hashes[:-1]).all())

    def find_rows(self, ids: ItemIds) -> Rows:
        """The row [n] of each id, -1 for an id that is not held."""
        if not len(self._ids):
            return np.full(len(ids), -1, np.intp)
        if not self._are_hashes_unique:
            return self._search_strings(ids)
        hashes = hash_ids(ids)
        order = np.argsort(hashes)  # in order they are found in half the time: neighbours lie side by side
        place = np.empty(len(ids), np.intp)
        place[order] = np.searchsorted(self._hashes, hashes[order])
        rows: Rows = self._rows[np.minimum(place, len(self._rows) - 1)]
        rows[self._ids[rows] != ids] = -1
        return rows

    def _search_strings(self, ids: ItemIds) -> Rows:
        order = np.argsort(self._ids)
        place = np.searchsorted(self._ids, ids, sorter=order)
        rows: Rows = order[np.minimum(place, len(order) - 1)]
        return np.where(self._ids[rows] == ids, rows, -1)


def hash_ids(ids: ItemIds) -> NDArray[np.uint64]:
    """A hash of each id's bytes [n], eight at a time; eight zeros add nothing, whatever the others hold."""
    words = np.ascontiguousarray(ids, ID_DTYPE).view(np.uint64).reshape(len(ids), ID_DTYPE.itemsize // 8)
    hashes = np.zeros(len(ids), np.uint64)
    for place, column in enumerate(words.T):
        if column.any():
            mixed = column * MULTIPLIERS[place]
            mixed ^= mixed >> SHIFT
            hashes += mixed * MULTIPLIER
    return hashes
