"""A segment: documents of one version as immutable columns, mapped from disk or in memory."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reelrank.app.engines.embedded.filters.bitmap import Bitmap, count_bits
from reelrank.app.engines.embedded.filters.filter_columns import FilterColumns
from reelrank.app.engines.embedded.filters.hashed_names import read_hashed_names
from reelrank.app.engines.embedded.filters.postings import Arrays, Postings, read_postings
from reelrank.app.engines.embedded.vectors.ivf import IvfIndex
from reelrank.app.engines.embedded.vectors.vector_index import VectorIndex
from reelrank.index_mappings.fields import (
    KEYWORD_FIELDS,
    NAME_FIELDS,
    NEIGHBOUR_LEVELS,
    RANGE_FIELDS,
    VECTOR_FIELDS,
)
from reelrank.index_mappings.item import Neighbour
from reelrank.index_mappings.match import ItemIds, encode_item_ids

Allocator = Callable[[str, tuple[int, ...], Any], NDArray[Any]]
"""Allocates an array of zeros with a name, shape and dtype, in memory or in a file."""
ScoredDocs = tuple[NDArray[np.int64], NDArray[np.float32]]


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """n documents in the order of ids, as of change `seq`. A doc id is a position in that order.

    rows int64 [n]: sorted database rows. doc_ids_by_row int32 [n]: the doc id of each row. live_docs: those
    not deleted. neighbours: a posting list per id, then one per external id (a neighbour that is not a
    document here); both sorted.
    """

    seq: int
    ids: ItemIds
    rows: NDArray[np.int64]
    doc_ids_by_row: NDArray[np.int32]
    live_docs: Bitmap
    filters: FilterColumns
    vectors: Mapping[str, VectorIndex]
    external_ids: ItemIds
    neighbours: Postings

    def __len__(self) -> int:
        return len(self.ids)

    def find_doc_ids(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns the doc id of each database row; -1 for rows of other segments."""
        if not len(self):
            return np.full(len(rows), -1, np.int64)
        first, last = int(self.rows[0]), int(self.rows[-1])
        is_contiguous = last - first == len(self) - 1
        positions = rows - first if is_contiguous else np.searchsorted(self.rows, rows)
        is_found = self.rows.take(positions, mode="clip") == rows
        doc_ids = self.doc_ids_by_row.take(positions, mode="clip").astype(np.int64)
        return doc_ids if is_found.all() else np.where(is_found, doc_ids, -1)

    def score_neighbours(self, seeds: tuple[Neighbour, ...]) -> ScoredDocs:
        """Returns documents near any seed, and their sums of seed weight x level weight, unordered."""
        terms = self._find_terms(encode_item_ids(seed.id for seed in seeds))
        parts = [
            (self.neighbours.get_slice(t), s.weight)
            for t, s in zip(terms.tolist(), seeds, strict=True)
            if t >= 0
        ]
        if not parts:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        postings = np.concatenate([self.neighbours.places[part] for part, _ in parts])
        weights = np.concatenate([self.neighbours.levels[part] * np.float64(w) for part, w in parts])
        doc_ids, inverse = np.unique(postings, return_inverse=True)
        sums = np.bincount(inverse, weights, len(doc_ids)) / NEIGHBOUR_LEVELS
        return doc_ids.astype(np.int64), sums.astype(np.float32)

    def _find_terms(self, wanted: ItemIds) -> NDArray[np.int64]:
        """Returns the term of each id; -1 for ids without postings."""
        own, external = find_sorted(self.ids, wanted), find_sorted(self.external_ids, wanted)
        return np.where(own >= 0, own, np.where(external >= 0, len(self.ids) + external, -1))


def find_sorted(ids: ItemIds, wanted: ItemIds) -> NDArray[np.int64]:
    """Returns the position of each wanted id among sorted ids; -1 if it is not there."""
    if not len(ids):
        return np.full(len(wanted), -1, np.int64)
    positions = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)
    return np.where(ids[positions] == wanted, positions, -1)


def assemble_segment(
    seq: int, names: Mapping[str, Any], arrays: Arrays, ivf_indexes: Mapping[str, IvfIndex]
) -> Segment:
    """Assembles a segment from the arrays of a `SegmentBuilder` and IVF indexes. Raises KeyError."""
    columns: Mapping[str, Any] = arrays
    size = len(columns["ids"])
    filters = FilterColumns(
        size,
        names,
        {field: read_postings(arrays, field) for field in KEYWORD_FIELDS},
        {field: read_hashed_names(arrays, field) for field in NAME_FIELDS},
        {field: columns[field] for field in RANGE_FIELDS},
    )
    vectors = {
        field: VectorIndex(
            columns[f"vector_{field}"],
            columns[f"stated_{field}"],
            count_bits(columns[f"stated_{field}"]),
            ivf_indexes.get(field),
        )
        for field in VECTOR_FIELDS
    }
    return Segment(
        seq,
        columns["ids"],
        columns["rows"],
        columns["places_by_row"],
        columns["living"],
        filters,
        vectors,
        columns["others"],
        read_postings(arrays, "neighbours"),
    )
