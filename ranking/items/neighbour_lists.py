"""Neighbour lists as columns of an item table: what a viewer's whole history says of each candidate.

The index finds candidates by the neighbours of the newest watches; these columns score them by all watches.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from reelrank.index_mappings.fields import MAX_NEIGHBOURS, NEIGHBOUR_LEVELS, to_neighbour_level
from reelrank.index_mappings.item import Document
from reelrank.index_mappings.match import ItemIds, encode_item_ids
from reelrank.ranking.items.row_index import hash_ids

Rows = NDArray[np.intp]
ENTRY = np.dtype([("hash", np.uint64), ("level", np.uint8)])
NO_NEIGHBOUR = -1
ROWS_PER_CHUNK = 4096
"""Lists resolved at a time: 2.4 MB of entries."""


class NeighbourListBuilder:
    """Spools the neighbours of documents to a file: 9 bytes each, MAX_NEIGHBOURS an item."""

    def __init__(self, scratch: Path) -> None:
        self._path = scratch / "neighbours.raw"
        self._file = self._path.open("wb")

    def add(self, documents: Sequence[Document]) -> None:
        counts = np.array([len(document.neighbours) for document in documents], np.intp)
        flat = [neighbour for document in documents for neighbour in document.neighbours]
        entries = np.zeros((len(documents), MAX_NEIGHBOURS), ENTRY)
        is_used = np.arange(MAX_NEIGHBOURS) < counts[:, None]
        if flat:
            entries["hash"][is_used] = hash_ids(encode_item_ids(neighbour.id for neighbour in flat))
            entries["level"][is_used] = [to_neighbour_level(neighbour.weight) for neighbour in flat]
        self._file.write(entries.tobytes())

    def write(self, directory: Path, ids: ItemIds, order: Rows) -> None:
        """Writes neighbour_rows and neighbour_levels [items, MAX_NEIGHBOURS] of the sorted ids, and deletes
        the scratch file. Neighbours outside the table are left out."""
        self._file.close()
        shape = (len(ids), MAX_NEIGHBOURS)
        rows = open_memmap(directory / "neighbour_rows.npy", "w+", np.int32, shape)
        levels = open_memmap(directory / "neighbour_levels.npy", "w+", np.uint8, shape)
        hashes = hash_ids(ids)
        by_hash = np.argsort(hashes)
        if len(ids):
            raw = np.memmap(self._path, ENTRY, "r", shape=shape)
            for start in range(0, len(ids), ROWS_PER_CHUNK):
                part = slice(start, start + ROWS_PER_CHUNK)
                entries = raw[order[part]]
                places = np.minimum(np.searchsorted(hashes, entries["hash"], sorter=by_hash), len(ids) - 1)
                found = by_hash[places]
                is_known = (hashes[found] == entries["hash"]) & (entries["level"] > 0)
                rows[part] = np.where(is_known, found, NO_NEIGHBOUR)
                levels[part] = np.where(is_known, entries["level"], 0)
        rows.flush()
        levels.flush()
        self._path.unlink()


def sum_neighbour_weights(
    lists: tuple[NDArray[np.int32], NDArray[np.uint8]], rows: Rows, history: tuple[Rows, NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Sums, for each row [n], the weights of its neighbours times those of the history; NaN for -1.

    lists: neighbour_rows and neighbour_levels. history: rows and weights of watched items.
    """
    neighbour_rows, levels = lists
    if not len(neighbour_rows):
        return np.full(len(rows), np.nan, np.float32)
    weight_of_row = np.zeros(len(neighbour_rows) + 1, np.float32)  # the last is that of NO_NEIGHBOUR
    weight_of_row[history[0]] = history[1] / NEIGHBOUR_LEVELS
    weights = weight_of_row[neighbour_rows[rows]].astype(np.float64)
    sums = np.einsum("nk,nk->n", weights, levels[rows])
    return np.where(rows >= 0, sums, np.nan).astype(np.float32)
