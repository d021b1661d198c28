"""The inverted file (IVF) of one vector field: lists of vectors around centroids; a search probes some lists.

nprobe, the number of lists to probe, is calibrated when the file is built, on queries like the expected ones.
"""

from bisect import bisect_left
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from reelrank.app.engines.embedded.filters.bitmap import Bitmap, DocIds

Vectors = NDArray[np.float32]
ScoredDocs = tuple[DocIds, Vectors]

DEPTHS = (100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800)
"""Numbers of nearest vectors, before filtering, for which nprobe is calibrated: a limit of 100 with a filter
that passes a tenth needs a depth of 1,000."""
TARGET_RECALL = 0.975
"""Recall that the calibration aims at, so that unseen queries reach 0.95."""
FILTER_OVERPROBE = 2
"""Factor on the documents to probe under a filter. With 30,000 vectors in 300 clusters and a filter on 30
clusters far from the query, recall was 0.85 with 1 and 1.0 with 2."""
RERANK_FACTOR = 1.25
"""Hits requested by 8-bit codes per wanted hit; exact cosines rerank them. With 100,000 synthetic vectors,
recall@100 was 0.945 with 1, 0.961 with 1.1, 0.962 with 1.25 and with 2."""
POINTS_PER_LIST = 48  # faiss warns below 39; more costs training time and did not improve recall
TRAINING_ROUNDS = 10
SAMPLE_SIZE, QUERY_COUNT = 200_000, 128
ADD_BATCH = 50_000


@dataclass(frozen=True, slots=True, eq=False)
class IvfIndex:
    """An inverted-file index over the vectors of a segment.

    index: faiss IVF over 8-bit codes by doc id. nprobe_by_depth: lists to probe for each of DEPTHS.

    centroids [lists, size]. assignments int32 [n]: the list of each doc id that has a vector.
    """

    index: Any
    nprobe_by_depth: tuple[int, ...]
    centroids: Vectors
    assignments: NDArray[np.int32]

    def search(self, vectors: Vectors, query: Vectors, limit: int, allowed: "AllowedDocs") -> ScoredDocs:
        """Returns doc ids and cosines of about the `limit` nearest allowed documents, unordered."""
        faiss.omp_set_num_threads(1)
        hit_count = min(ceil(RERANK_FACTOR * limit), allowed.count)
        nprobe = self._choose_nprobe(limit / allowed.selectivity)
        if allowed.counts_by_list is not None:
            nprobe = self._choose_filtered_nprobe(allowed.counts_by_list, query, nprobe)
        parameters = faiss.SearchParametersIVF(nprobe=nprobe, sel=allowed.to_selector())
        _, found = self.index.search(query[None], hit_count, params=parameters)
        doc_ids = found[0][found[0] >= 0]
        return doc_ids, compute_cosines(vectors, doc_ids, query)

    def _choose_nprobe(self, depth: float) -> int:
        position = min(bisect_left(DEPTHS, depth), len(DEPTHS) - 1)
        excess = max(depth / DEPTHS[-1], 1.0)
        return min(ceil(self.nprobe_by_depth[position] * excess), int(self.index.nlist))

    def count_by_list(self, doc_ids: DocIds) -> NDArray[np.int64]:
        """Counts these doc ids per list."""
        return np.bincount(self.assignments[doc_ids], minlength=self.index.nlist)

    def _choose_filtered_nprobe(self, counts_by_list: NDArray[np.int64], query: Vectors, nprobe: int) -> int:
        """Returns how many lists have FILTER_OVERPROBE times the documents of `nprobe` average lists.

        These are many more lists when the filter passes documents far from the query.
        """
        cumulative = np.cumsum(counts_by_list[np.argsort(self.centroids @ -query)])
        target = min(FILTER_OVERPROBE * nprobe * cumulative[-1] / self.index.nlist, cumulative[-1])
        needed = int(np.searchsorted(cumulative, target)) + 1
        return min(max(nprobe, needed), int(self.index.nlist))


@dataclass(frozen=True, slots=True, eq=False)
class AllowedDocs:
    """Documents that pass the filters: their bits and count. total: documents with a vector.

    counts_by_list: how many of them are in each IVF list; None without filters.
    """

    bits: Bitmap
    count: int
    total: int
    counts_by_list: NDArray[np.int64] | None = None

    @property
    def selectivity(self) -> float:
        return self.count / self.total

    def to_selector(self) -> Any:
        """Returns the selector for faiss; None when nothing is excluded."""
        if self.count == self.total:
            return None
        return faiss.IDSelectorBitmap(self.bits)


def compute_cosines(vectors: Vectors, doc_ids: DocIds, query: Vectors) -> Vectors:
    """Returns the inner product of each document's vector with the query, without copying vectors."""
    scores = np.empty(len(doc_ids), np.float32)
    if len(doc_ids):
        faiss.omp_set_num_threads(1)
        pointers = (faiss.swig_ptr(array) for array in (scores, query, vectors, doc_ids))
        faiss.fvec_inner_products_by_idx(*pointers, vectors.shape[1], 1, len(doc_ids))
    return scores


def train_ivf(
    vectors: Vectors, doc_ids: DocIds, path: Path, assignments: NDArray[np.int32]
) -> tuple[int, ...]:
    """Writes the inverted file of these documents, fills `assignments`, and returns nprobe for DEPTHS."""
    faiss.omp_set_num_threads(1)
    rng, size = np.random.default_rng(0), vectors.shape[1]
    count = round(len(doc_ids) ** 0.5)
    quantizer = faiss.IndexFlatIP(size)
    kind = faiss.ScalarQuantizer.QT_8bit
    index = faiss.IndexIVFScalarQuantizer(quantizer, size, count, kind, faiss.METRIC_INNER_PRODUCT)
    index.cp.niter, index.cp.max_points_per_centroid = TRAINING_ROUNDS, POINTS_PER_LIST
    index.train(vectors[_sample(rng, doc_ids, count * POINTS_PER_LIST)])
    for start in range(0, len(doc_ids), ADD_BATCH):
        batch = doc_ids[start : start + ADD_BATCH]
        rows = vectors[batch]
        lists = quantizer.assign(rows, 1).ravel()
        assignments[batch] = lists
        index.add_core(len(batch), *(faiss.swig_ptr(array) for array in (rows, batch, lists)))
    faiss.write_index(index, str(path))
    sample = _sample(rng, doc_ids, min(SAMPLE_SIZE, len(doc_ids) // 2))
    return _calibrate_nprobe(index, vectors[sample], assignments[sample], len(doc_ids))


def open_ivf(path: Path, nprobe_by_depth: tuple[int, ...], assignments: NDArray[np.int32]) -> IvfIndex:
    """Maps the file into memory shared between processes. Raises RuntimeError if it is damaged."""
    index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
    return IvfIndex(index, nprobe_by_depth, index.quantizer.reconstruct_n(0, index.nlist), assignments)


def _sample(rng: np.random.Generator, doc_ids: DocIds, size: int) -> DocIds:
    return np.sort(rng.choice(doc_ids, min(size, len(doc_ids)), replace=False))


def _calibrate_nprobe(
    index: Any, sample: Vectors, assignments: NDArray[np.int32], document_count: int
) -> tuple[int, ...]:
    """Returns the nprobe per depth that reaches TARGET_RECALL, for queries at items and between two."""
    rng = np.random.default_rng(1)
    pairs = sample[rng.integers(0, len(sample), (2, QUERY_COUNT))]
    queries = pairs[0] + pairs[1] * (np.arange(QUERY_COUNT) % 2)[:, None].astype(np.float32) / 2
    queries /= np.maximum(np.linalg.norm(queries, axis=1, keepdims=True), 1e-9)
    ranks = np.argsort(np.argsort(-(queries @ index.quantizer.reconstruct_n(0, index.nlist).T)))
    scores = queries @ sample.T
    sampled = [min(max(round(depth * len(sample) / document_count), 1), len(sample)) for depth in DEPTHS]
    deepest = np.argpartition(-scores, sampled[-1] - 1)[:, : sampled[-1]]
    order = np.argsort(-np.take_along_axis(scores, deepest, axis=1))
    needed = np.take_along_axis(ranks, assignments[np.take_along_axis(deepest, order, axis=1)], axis=1)
    return tuple(int(np.quantile(needed[:, :nearest], TARGET_RECALL)) + 1 for nearest in sampled)
