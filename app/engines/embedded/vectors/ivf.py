"""The inverted file of one vector field: cells around centroids, of which a search probes the nearest few.

How many it must probe is measured when the file is made, on vectors like those it will be asked for.
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
"""How many of the nearest must be found, all counted; a filter that keeps a tenth makes 100 into 1,000."""
TARGET_RECALL = 0.975
"""Aimed at when the number of probes is chosen, so that 0.95 is reached on queries not seen then."""
FILTER_OVERPROBE = 2
"""Seen at 30,000 vectors in 300 clusters, a filter on 30 clusters away from the query: recall 0.85 with
once the documents, 1.0 with twice."""
RERANK_FACTOR = 1.25
"""Asked of the 8-bit codes for each one wanted; the exact cosines then choose among them. At 100,000 made-up
vectors recall@100 was 0.945 with 1, 0.961 with 1.1, 0.962 with 1.25 and with 2."""
POINTS_PER_LIST = 48  # faiss warns under 39; more costs training time and changed no recall seen.
TRAINING_ROUNDS = 10
SAMPLE_SIZE, QUERY_COUNT = 200_000, 128
ADD_BATCH = 50_000


@dataclass(frozen=True, slots=True, eq=False)
class IvfIndex:
    """index: faiss IVF over 8-bit codes, its ids are places. probes: cells to probe for each of DEPTHS.

    centroids [cells, size]. cell_of int32 [n]: the cell of each place that has a vector.
    """

    index: Any
    nprobe_by_depth: tuple[int, ...]
    centroids: Vectors
    assignments: NDArray[np.int32]

    def search(self, vectors: Vectors, query: Vectors, limit: int, allowed: "AllowedDocs") -> ScoredDocs:
        """Places and cosines of about the `limit` nearest allowed ones, in no order."""
        faiss.omp_set_num_threads(1)
        asked = min(ceil(RERANK_FACTOR * limit), allowed.count)
        probes = self._choose_nprobe(limit / allowed.selectivity)
        if allowed.counts_by_list is not None:
            probes = self._choose_filtered_nprobe(allowed.counts_by_list, query, probes)
        parameters = faiss.SearchParametersIVF(nprobe=probes, sel=allowed.to_selector())
        _, found = self.index.search(query[None], asked, params=parameters)
        places = found[0][found[0] >= 0]
        return places, compute_cosines(vectors, places, query)

    def _choose_nprobe(self, depth: float) -> int:
        at = min(bisect_left(DEPTHS, depth), len(DEPTHS) - 1)
        beyond = max(depth / DEPTHS[-1], 1.0)
        return min(ceil(self.nprobe_by_depth[at] * beyond), int(self.index.nlist))

    def count_by_list(self, doc_ids: DocIds) -> NDArray[np.int64]:
        """How many of these places each cell holds."""
        return np.bincount(self.assignments[doc_ids], minlength=self.index.nlist)

    def _choose_filtered_nprobe(self, counts_by_list: NDArray[np.int64], query: Vectors, nprobe: int) -> int:
        """As many as hold FAR times what `probes` cells would if the filter took from all alike.

        Where a filter keeps to cells far from the query these are many more.
        """
        held = np.cumsum(counts_by_list[np.argsort(self.centroids @ -query)])
        enough = min(FILTER_OVERPROBE * nprobe * held[-1] / self.index.nlist, held[-1])
        needed = int(np.searchsorted(held, enough)) + 1
        return min(max(nprobe, needed), int(self.index.nlist))


@dataclass(frozen=True, slots=True, eq=False)
class AllowedDocs:
    """Documents that may be answered: their bits, how many they are, and of how many with a vector.

    by_cell: how many of them each cell holds, None where nothing is filtered.
    """

    bits: Bitmap
    count: int
    total: int
    counts_by_list: NDArray[np.int64] | None = None

    @property
    def selectivity(self) -> float:
        return self.count / self.total

    def to_selector(self) -> Any:
        """For faiss; None when nothing is excluded."""
        if self.count == self.total:
            return None
        return faiss.IDSelectorBitmap(self.bits)


def compute_cosines(vectors: Vectors, doc_ids: DocIds, query: Vectors) -> Vectors:
    """The inner product of each place's vector with the wanted one, without copying the vectors."""
    scores = np.empty(len(doc_ids), np.float32)
    if len(doc_ids):
        faiss.omp_set_num_threads(1)
        pointers = (faiss.swig_ptr(array) for array in (scores, query, vectors, doc_ids))
        faiss.fvec_inner_products_by_idx(*pointers, vectors.shape[1], 1, len(doc_ids))
    return scores


def train_ivf(
    vectors: Vectors, doc_ids: DocIds, path: Path, assignments: NDArray[np.int32]
) -> tuple[int, ...]:
    """Writes the inverted file of these places' vectors, fills `cell_of`, and gives its probes."""
    faiss.omp_set_num_threads(1)
    rng, size = np.random.default_rng(0), vectors.shape[1]
    count = round(len(doc_ids) ** 0.5)
    quantizer = faiss.IndexFlatIP(size)
    kind = faiss.ScalarQuantizer.QT_8bit
    index = faiss.IndexIVFScalarQuantizer(quantizer, size, count, kind, faiss.METRIC_INNER_PRODUCT)
    index.cp.niter, index.cp.max_points_per_centroid = TRAINING_ROUNDS, POINTS_PER_LIST
    index.train(vectors[_sample(rng, doc_ids, count * POINTS_PER_LIST)])
    for start in range(0, len(doc_ids), ADD_BATCH):
        part = doc_ids[start : start + ADD_BATCH]
        rows = vectors[part]
        cells = quantizer.assign(rows, 1).ravel()
        assignments[part] = cells
        index.add_core(len(part), *(faiss.swig_ptr(array) for array in (rows, part, cells)))
    faiss.write_index(index, str(path))
    sample = _sample(rng, doc_ids, min(SAMPLE_SIZE, len(doc_ids) // 2))
    return _calibrate_nprobe(index, vectors[sample], assignments[sample], len(doc_ids))


def open_ivf(path: Path, nprobe_by_depth: tuple[int, ...], assignments: NDArray[np.int32]) -> IvfIndex:
    """Maps the file into memory, shared with others that do. Raises RuntimeError if it is damaged."""
    index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
    return IvfIndex(index, nprobe_by_depth, index.quantizer.reconstruct_n(0, index.nlist), assignments)


def _sample(rng: np.random.Generator, doc_ids: DocIds, size: int) -> DocIds:
    return np.sort(rng.choice(doc_ids, min(size, len(doc_ids)), replace=False))


def _calibrate_nprobe(
    index: Any, sample: Vectors, assignments: NDArray[np.int32], document_count: int
) -> tuple[int, ...]:
    """Cells to probe so that RECALL of the nearest are in them, for queries at items and between two."""
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
