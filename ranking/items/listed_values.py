"""Lookups in columns of several values an item: codes of languages, keys of people and tags."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reelrank.ranking.items.builder import hash_name
from reelrank.ranking.items.names.title_keys import Hashes

Rows = NDArray[np.intp]


def has_any(
    offsets: NDArray[np.int64], values: NDArray[np.generic], rows: Rows, wanted: Sequence[int]
) -> NDArray[np.bool_]:
    """Returns whether the item of each row [n] has one of these values; False for a row of -1.

    A loop over the position of a value in its item, so that no array is longer than `rows`.
    """
    starts, ends = offsets[rows], offsets[rows + 1]
    found = np.zeros(len(rows), bool)
    open_rows = np.flatnonzero((rows >= 0) & (starts < ends))
    position = 0
    while len(open_rows):
        matching = np.isin(values[starts[open_rows] + position], wanted)
        found[open_rows[matching]] = True
        position += 1
        open_rows = open_rows[~matching]
        open_rows = open_rows[starts[open_rows] + position < ends[open_rows]]
    return found


def find_named(keys: Hashes, rows: NDArray[np.int32], names: Sequence[str]) -> Rows:
    """Returns the rows whose item has one of these names, by sorted keys and the row of each; may repeat."""
    wanted = np.array([hash_name(name) for name in names], np.uint64)
    firsts, lasts = (np.searchsorted(keys, wanted, side) for side in ("left", "right"))
    found = [rows[first:last] for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True)]
    return np.concatenate(found).astype(np.intp)


def find_codes(names: Sequence[str], wanted: Sequence[str]) -> list[int]:
    folded = {name.casefold() for name in wanted}
    return [code for code, name in enumerate(names) if name.casefold() in folded]
