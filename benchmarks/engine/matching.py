"""Answers: words, vectors and fetches of the engine beside the bare libraries, turn by turn."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from app.engines.embedded.bitmap import Bitmap, count, members
from app.engines.embedded.engine import EmbeddedEngine
from app.engines.embedded.segment import Segment
from benchmarks.clock import interleaved
from benchmarks.data.catalogue import GENRES, Catalogue
from benchmarks.engine.bare import BareStore, BareText, BareVectors
from index_mappings.engine import TextMatch, VectorMatch
from index_mappings.query import NO_FILTERS, Filters

TEXT_LIMIT, VECTOR_LIMIT, SHOWN = 300, 100, 20
QUERIES = 200
SOON = 60.0
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
class Asked:
    """One vector and what of the segment may be answered: for the engine as filters, for faiss as bits."""

    wanted: NDArray[np.float32]
    filters: Filters
    kept: Any


def text_figures(catalogue: Catalogue, engine: EmbeddedEngine, bare: BareText) -> dict[str, object]:
    queries = catalogue.text_queries(QUERIES)
    figures: dict[str, object] = {}
    for name, filters in TEXT_FILTERS.items():
        pair = interleaved(
            lambda text, f=filters: engine.match_text(TextMatch("bm25", text, TEXT_LIMIT, f), SOON),  # type: ignore[misc]
            lambda text, f=filters: bare.search(text, f, TEXT_LIMIT),  # type: ignore[misc]
            queries,
        )
        figures[name] = pair.to_dict()
    return figures


def fetch_figures(engine: EmbeddedEngine, bare: BareStore, ids: list[str]) -> dict[str, object]:
    rng = np.random.default_rng(4)
    requests = [[ids[n] for n in rng.integers(0, len(ids), SHOWN)] for _ in range(QUERIES)]
    return interleaved(lambda each: engine.fetch(each, SOON), bare.fetch, requests).to_dict()


def vector_figures(
    catalogue: Catalogue, engine: EmbeddedEngine, bare: BareVectors, field: str
) -> dict[str, object]:
    """Of one field, by filter: recall of both, and the times at about the same recall."""
    segment = engine.serving.view().snapshot.layers[0].segment
    queries = catalogue.vector_queries(field, QUERIES)
    return {
        name: _compared(engine, bare, (segment, field, filters), queries)
        for name, filters in VECTOR_FILTERS.items()
    }


def _compared(
    engine: EmbeddedEngine,
    bare: BareVectors,
    place: tuple[Segment, str, Filters],
    queries: NDArray[np.float32],
) -> dict[str, object]:
    segment, field, filters = place
    bits = segment.living & segment.filters.passing(filters)
    vectors = segment.vectors[field].vectors
    true = _true(vectors, bits, queries)
    kept = None if filters.is_empty else faiss.IDSelectorBitmap(bits)
    asked = [Asked(wanted, filters, kept) for wanted in queries]

    def ours(each: Asked) -> NDArray[np.bytes_]:
        request = VectorMatch("knn", field, each.wanted, VECTOR_LIMIT, each.filters)
        return engine.match_vector(request, SOON).ids

    def theirs(each: Asked) -> NDArray[np.int64]:
        return bare.search(each.wanted, each.kept, VECTOR_LIMIT)

    recall = _recall([np.searchsorted(segment.ids, ours(each)) for each in asked], true)
    for probes in _rising(bare.index.nlist):
        bare.probes = probes
        bare_recall = _recall([theirs(each) for each in asked], true)
        if bare_recall >= recall:
            break
    pair = interleaved(ours, theirs, asked)
    facts = {"kept": round(count(bits) / len(segment), 4), "recall": round(recall, 4)}
    return facts | {"bare_recall": round(bare_recall, 4), "bare_probes": bare.probes} | pair.to_dict()


def _rising(cells: int) -> Iterator[int]:
    """Numbers of probes, each about a sixth more than the one before."""
    probes = 1
    while probes < cells:
        yield probes
        probes = max(probes + 1, round(probes * 1.18))
    yield cells


def _true(
    vectors: NDArray[np.float32], bits: Bitmap, queries: NDArray[np.float32]
) -> list[NDArray[np.int64]]:
    """The nearest of each query by an exact scan of everything that is kept."""
    places = members(bits, len(vectors))
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors[places])
    _, found = index.search(queries, min(VECTOR_LIMIT, len(places)))
    return [places[row] for row in found]


def _recall(found: list[NDArray[np.int64]], true: list[NDArray[np.int64]]) -> float:
    shares = [len(np.intersect1d(f, t)) / len(t) for f, t in zip(found, true, strict=True)]
    return float(np.mean(shares))
