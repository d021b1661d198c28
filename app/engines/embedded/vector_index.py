"""Nearest by cosine in one vector field of one segment: exactly where few may be answered, by cells else."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from app.engines.embedded.bitmap import Bitmap, Places, count, members
from app.engines.embedded.cells import Allowed, Cells, Scored, Vectors, cosines
from app.engines.embedded.filter_columns import REMEMBERED
from index_mappings.query import NO_FILTERS, Filters

CELLS_FROM = 20_000
"""Vectors from which cells are made; fewer are scanned exactly in about a millisecond."""
EXACT_BYTES = 4_000_000
"""Vectors of so many bytes are scanned exactly when a filter keeps no more: it costs about what probing
enough cells would, and misses nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class VectorIndex:
    """vectors [n, size]: unit rows, zeros where a document has none; `stated` are the ones that have one."""

    vectors: Vectors
    stated: Bitmap
    count: int
    cells: Cells | None
    by_cell: dict[Filters, NDArray[np.int64]] = field(default_factory=dict)

    def nearest(
        self, wanted: Vectors, limit: int, candidates: Bitmap, filters: Filters = NO_FILTERS
    ) -> Scored:
        """Places and cosines of at least the `limit` nearest candidates that have a vector, in no order.

        filters: what made the candidates; by their name it is remembered which cells hold them.
        """
        bits = candidates & self.stated
        allowed = Allowed(bits, count(bits), self.count)
        if allowed.kept == 0 or limit < 1:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        if self.cells is not None and allowed.kept * self.vectors[0].nbytes > EXACT_BYTES:
            if not filters.is_empty:
                allowed = replace(allowed, by_cell=self._by_cell(self.cells, bits, filters))
            places, scores = self.cells.nearest(self.vectors, wanted, limit, allowed)
            if len(places) >= min(limit, allowed.kept):
                return places, scores
        if allowed.kept == len(self.vectors):
            return _top(None, self.vectors @ wanted, limit)
        return self._exact(wanted, limit, members(bits, len(self.vectors)))

    def _by_cell(self, cells: Cells, bits: Bitmap, filters: Filters) -> NDArray[np.int64]:
        counts = self.by_cell.get(filters)
        if counts is None:
            counts = cells.counts(members(bits, len(self.vectors)))
            if len(self.by_cell) >= REMEMBERED:
                self.by_cell.clear()
            self.by_cell[filters] = counts
        return counts

    def _exact(self, wanted: Vectors, limit: int, places: Places) -> Scored:
        if 4 * len(places) > len(self.vectors):
            scores = (self.vectors @ wanted)[places]
        else:
            scores = cosines(self.vectors, places, wanted)
        return _top(places, scores, limit)


def _top(places: Places | None, scores: Vectors, limit: int) -> Scored:
    """At least the `limit` best, every tie at the edge among them. places: None where all are scored."""
    edge = np.partition(scores, len(scores) - limit)[len(scores) - limit] if len(scores) > limit else -np.inf
    best = np.flatnonzero(scores >= edge)
    return best if places is None else places[best], scores[best]
