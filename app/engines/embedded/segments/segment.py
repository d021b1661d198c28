"""A segment: documents of one version as columns that never change. On disk and mapped, or in memory."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reelrank.app.engines.embedded.filters.bitmap import Bitmap, count_bits
from reelrank.app.engines.embedded.filters.filter_columns import FilterColumns
from reelrank.app.engines.embedded.filters.postings import Arrays, Postings, read_postings
from reelrank.app.engines.embedded.vectors.ivf import IvfIndex
from reelrank.app.engines.embedded.vectors.vector_index import VectorIndex
from reelrank.index_mappings.fields import KEYWORD_FIELDS, NEIGHBOUR_LEVELS, RANGE_FIELDS, VECTOR_FIELDS
from reelrank.index_mappings.item import Neighbour
from reelrank.index_mappings.match import ItemIds, item_ids

Allocator = Callable[[str, tuple[int, ...], Any], NDArray[Any]]
"""Gives a new array of zeros by its name, shape and type: in memory, or in a file."""
ScoredDocs = tuple[NDArray[np.int64], NDArray[np.float32]]


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """n documents in the order of ids, as of change `seq`. rows int64 [n]: their rows in the database,
    in order; places_by_row int32 [n]: which document each of those is. living: not deleted then.

    neighbours: a posting list for each id, and after those one for each of `others`, ids that
    documents carry as neighbours without being documents here; both sorted.
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
        """The place of each database row; -1 for a row that is not here."""
        if not len(self):
            return np.full(len(rows), -1, np.int64)
        first, last = int(self.rows[0]), int(self.rows[-1])
        one_after_another = last - first == len(self) - 1
        at = rows - first if one_after_another else np.searchsorted(self.rows, rows)
        here = self.rows.take(at, mode="clip") == rows
        places = self.doc_ids_by_row.take(at, mode="clip").astype(np.int64)
        return places if here.all() else np.where(here, places, -1)

    def score_neighbours(self, seeds: tuple[Neighbour, ...]) -> ScoredDocs:
        """Places that carry any seed, and the sums of seed weight x level weight, in no order."""
        terms = self._find_terms(item_ids(seed.id for seed in seeds))
        parts = [
            (self.neighbours.term_slice(t), s.weight)
            for t, s in zip(terms.tolist(), seeds, strict=True)
            if t >= 0
        ]
        if not parts:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        carried = np.concatenate([self.neighbours.places[part] for part, _ in parts])
        weights = np.concatenate([self.neighbours.levels[part] * np.float64(w) for part, w in parts])
        places, which = np.unique(carried, return_inverse=True)
        sums = np.bincount(which, weights, len(places)) / NEIGHBOUR_LEVELS
        return places.astype(np.int64), sums.astype(np.float32)

    def _find_terms(self, wanted: ItemIds) -> NDArray[np.int64]:
        """The posting list of each id, -1 where there is none."""
        here, other = find_sorted(self.ids, wanted), find_sorted(self.external_ids, wanted)
        return np.where(here >= 0, here, np.where(other >= 0, len(self.ids) + other, -1))


def find_sorted(ids: ItemIds, wanted: ItemIds) -> NDArray[np.int64]:
    """The place of each wanted id among sorted ids, -1 where it is not there."""
    if not len(ids):
        return np.full(len(wanted), -1, np.int64)
    at = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)
    return np.where(ids[at] == wanted, at, -1)


def assemble_segment(
    seq: int, names: Mapping[str, Any], arrays: Arrays, ivf_indexes: Mapping[str, IvfIndex]
) -> Segment:
    """From what a `SegmentBuilder` made; `cells` of the vector fields that have them. Raises KeyError."""
    columns: Mapping[str, Any] = arrays
    size = len(columns["ids"])
    filters = FilterColumns(
        size,
        names,
        {field: read_postings(arrays, field) for field in KEYWORD_FIELDS},
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
