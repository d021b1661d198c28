"""kNN by cosine in one vector field of one segment: exact for few candidates, otherwise by IVF."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from reelrank.app.engines.embedded.filters.bitmap import Bitmap, DocIds, count_bits, unpack
from reelrank.app.engines.embedded.filters.filter_columns import FILTER_CACHE_SIZE
from reelrank.app.engines.embedded.vectors.ivf import (
    AllowedDocs,
    IvfIndex,
    ScoredDocs,
    Vectors,
    compute_cosines,
)
from reelrank.index_mappings.query import NO_FILTERS, Filters

MIN_IVF_VECTORS = 20_000
"""Vectors from which an IVF index is built; fewer are scanned exactly in about a millisecond."""
MAX_EXACT_BYTES = 4_000_000
"""Up to this many bytes of vectors pass a filter, they are scanned exactly: it costs about as much as probing
enough lists, and misses nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class VectorIndex:
    """vectors [n, size]: unit rows, zeros where missing. present: the `count` documents with a vector."""

    vectors: Vectors
    present: Bitmap
    count: int
    ivf: IvfIndex | None
    counts_by_list: dict[Filters, NDArray[np.int64]] = field(default_factory=dict)

    def search(
        self, query: Vectors, limit: int, candidates: Bitmap, filters: Filters = NO_FILTERS
    ) -> ScoredDocs:
        """Returns doc ids and cosines of at least the `limit` nearest candidates with a vector, unordered.

        filters: those that selected the candidates; their counts per list are cached under them.
        """
        bits = candidates & self.present
        allowed = AllowedDocs(bits, count_bits(bits), self.count)
        if allowed.count == 0 or limit < 1:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        if self.ivf is not None and allowed.count * self.vectors[0].nbytes > MAX_EXACT_BYTES:
            if not filters.is_empty:
                allowed = replace(allowed, counts_by_list=self._count_by_list(self.ivf, bits, filters))
            doc_ids, scores = self.ivf.search(self.vectors, query, limit, allowed)
            if len(doc_ids) >= min(limit, allowed.count):
                return doc_ids, scores
        if allowed.count == len(self.vectors):
            return _select_top(None, self.vectors @ query, limit)
        return self._search_exact(query, limit, unpack(bits, len(self.vectors)))

    def _count_by_list(self, ivf: IvfIndex, bits: Bitmap, filters: Filters) -> NDArray[np.int64]:
        counts = self.counts_by_list.get(filters)
        if counts is None:
            counts = ivf.count_by_list(unpack(bits, len(self.vectors)))
            if len(self.counts_by_list) >= FILTER_CACHE_SIZE:
                self.counts_by_list.clear()
            self.counts_by_list[filters] = counts
        return counts

    def _search_exact(self, query: Vectors, limit: int, doc_ids: DocIds) -> ScoredDocs:
        if 4 * len(doc_ids) > len(self.vectors):
            scores = (self.vectors @ query)[doc_ids]
        else:
            scores = compute_cosines(self.vectors, doc_ids, query)
        return _select_top(doc_ids, scores, limit)


def _select_top(doc_ids: DocIds | None, scores: Vectors, limit: int) -> ScoredDocs:
    """Returns the `limit` best and all ties with the last. doc_ids: None if all documents are scored."""
    threshold = (
        np.partition(scores, len(scores) - limit)[len(scores) - limit] if len(scores) > limit else -np.inf
    )
    best = np.flatnonzero(scores >= threshold)
    return best if doc_ids is None else doc_ids[best], scores[best]
