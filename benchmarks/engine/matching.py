"""Compares text search, kNN and fetches of the engine with the bare libraries, alternately."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from benchmarks.clock import time_interleaved
from benchmarks.data.catalogue import GENRES, Catalogue
from benchmarks.engine.bare import BareStore, BareText, BareVectors
from reelrank.app.engines.embedded.engine import EmbeddedEngine
from reelrank.app.engines.embedded.filters.bitmap import Bitmap, count_bits, unpack
from reelrank.app.engines.embedded.segments.segment import Segment
from reelrank.index_mappings.engine import TextMatch, VectorMatch
from reelrank.index_mappings.query import NO_FILTERS, Filters

TEXT_LIMIT, VECTOR_LIMIT, FETCH_SIZE = 300, 100, 20
QUERIES = 200
TIMEOUT_S = 60.0
TEXT_FILTERS = {
    "no filter": NO_FILTERS,
    "a genre": Filters(genres=(GENRES[2],)),
    "a language and years": Filters(languages=("Language 2",), year_min=2000, year_max=2015),
}
VECTOR_FILTERS = {
    "no filter": NO_FILTERS,
    "a genre, which goes with clusters": Filters(genres=(GENRES[3],)),
    "10 % by language": Filters(languages=("Language 1",)),
    "1 % by language": Filters(languages=("Language 8",)),
}


@dataclass(frozen=True, slots=True, eq=False)
class VectorQuery:
    """A vector and its filters: as Filters for the engine, as a selector for faiss."""

    vector: NDArray[np.float32]
    filters: Filters
    selector: Any


def measure_text(catalogue: Catalogue, engine: EmbeddedEngine, bare: BareText) -> dict[str, object]:
    queries = catalogue.build_text_queries(QUERIES)
    figures: dict[str, object] = {}
    for name, filters in TEXT_FILTERS.items():
        pair = time_interleaved(
            lambda text, f=filters: engine.match_text(TextMatch("bm25", text, TEXT_LIMIT, f), TIMEOUT_S),  # type: ignore[misc]
            lambda text, f=filters: bare.search(text, f, TEXT_LIMIT),  # type: ignore[misc]
            queries,
        )
        figures[name] = pair.to_dict()
    return figures


def measure_fetch(engine: EmbeddedEngine, bare: BareStore, ids: list[str]) -> dict[str, object]:
    rng = np.random.default_rng(4)
    requests = [[ids[n] for n in rng.integers(0, len(ids), FETCH_SIZE)] for _ in range(QUERIES)]
    return time_interleaved(lambda request: engine.fetch(request, TIMEOUT_S), bare.fetch, requests).to_dict()


def measure_vectors(
    catalogue: Catalogue, engine: EmbeddedEngine, bare: BareVectors, field: str
) -> dict[str, object]:
    """Returns recall and times of both at about the same recall, by filter."""
    segment = engine.serving.get_view().snapshot.layers[0].segment
    queries = catalogue.build_vector_queries(field, QUERIES)
    return {
        name: _compare(engine, bare, (segment, field, filters), queries)
        for name, filters in VECTOR_FILTERS.items()
    }


def _compare(
    engine: EmbeddedEngine,
    bare: BareVectors,
    target: tuple[Segment, str, Filters],
    queries: NDArray[np.float32],
) -> dict[str, object]:
    segment, field, filters = target
    bits = segment.live_docs & segment.filters.evaluate(filters)
    vectors = segment.vectors[field].vectors
    true = _search_exact(vectors, bits, queries)
    selector = None if filters.is_empty else faiss.IDSelectorBitmap(bits)
    requests = [VectorQuery(vector, filters, selector) for vector in queries]

    def search_engine(query: VectorQuery) -> NDArray[np.bytes_]:
        request = VectorMatch("knn", field, query.vector, VECTOR_LIMIT, query.filters)
        return engine.match_vector(request, TIMEOUT_S).ids

    def search_bare(query: VectorQuery) -> NDArray[np.int64]:
        return bare.search(query.vector, query.selector, VECTOR_LIMIT)

    recall = _compute_recall(
        [np.searchsorted(segment.ids, search_engine(request)) for request in requests], true
    )
    for nprobe in _generate_nprobes(bare.index.nlist):
        bare.nprobe = nprobe
        bare_recall = _compute_recall([search_bare(request) for request in requests], true)
        if bare_recall >= recall:
            break
    pair = time_interleaved(search_engine, search_bare, requests)
    figures = {"kept": round(count_bits(bits) / len(segment), 4), "recall": round(recall, 4)}
    return figures | {"bare_recall": round(bare_recall, 4), "bare_probes": bare.nprobe} | pair.to_dict()


def _generate_nprobes(list_count: int) -> Iterator[int]:
    """Yields values of nprobe, each about a sixth larger than the one before."""
    nprobe = 1
    while nprobe < list_count:
        yield nprobe
        nprobe = max(nprobe + 1, round(nprobe * 1.18))
    yield list_count


def _search_exact(
    vectors: NDArray[np.float32], bits: Bitmap, queries: NDArray[np.float32]
) -> list[NDArray[np.int64]]:
    """Returns the nearest rows of each query by an exact scan of the rows that pass the filters."""
    rows = unpack(bits, len(vectors))
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors[rows])
    _, found = index.search(queries, min(VECTOR_LIMIT, len(rows)))
    return [rows[positions] for positions in found]


def _compute_recall(found_ids: list[NDArray[np.int64]], true_ids: list[NDArray[np.int64]]) -> float:
    shares = [len(np.intersect1d(f, t)) / len(t) for f, t in zip(found_ids, true_ids, strict=True)]
    return float(np.mean(shares))
