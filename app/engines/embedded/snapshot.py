"""What answers: a segment from disk, and over it the live changes since, each hiding what it replaces."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reelrank.app.engines.embedded.filters.bitmap import Bitmap, clear_bits, contains
from reelrank.app.engines.embedded.segments.builder import Row, SegmentBuilder
from reelrank.app.engines.embedded.segments.segment import ScoredDocs, Segment, assemble_segment
from reelrank.index_mappings.engine import NeighbourMatch, TextMatch, VectorMatch
from reelrank.index_mappings.match import ItemIds, Matches, item_ids, select_best_matches
from reelrank.index_mappings.query import Filters

MatchRequest = TextMatch | VectorMatch | NeighbourMatch


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """A segment and which of its documents are neither deleted nor replaced by a later layer."""

    segment: Segment
    live_docs: Bitmap

    def select_candidates(self, filters: Filters) -> Bitmap:
        """Documents that may be answered under these filters."""
        return self.live_docs if filters.is_empty else self.live_docs & self.segment.filters.evaluate(filters)


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """One version as of change `seq`. Later layers replace earlier ones; `changed` rows are in those."""

    version: str
    seq: int
    layers: tuple[Layer, ...]
    changed_rows: int = 0

    @property
    def covered_seq(self) -> int:
        """The change up to which the segment on disk reaches."""
        return self.layers[0].segment.seq

    def apply_changes(self, changes: Sequence[Row], seq: int) -> "Snapshot":
        """With these changed rows in a layer of their own."""
        rows = np.array([row[0] for row in changes], np.int64)
        below = tuple(_hide_rows(layer, rows) for layer in self.layers)
        segment = _build_in_memory(seq, changes)
        layers = (*below, Layer(segment, segment.live_docs)) if len(segment) else below
        return Snapshot(self.version, seq, layers, self.changed_rows + len(changes))

    def match_rows(self, request: TextMatch, rows: NDArray[np.int64], scores: NDArray[np.float32]) -> Matches:
        """The documents that these database rows are here, if they are any."""

        def score(layer: Layer) -> ScoredDocs:
            places = layer.segment.find_doc_ids(rows)
            here = (places >= 0) & contains(layer.live_docs, places)
            return (places, scores) if here.all() else (places[here], scores[here])

        return self._merge_layers(request, score)

    def match_vector(self, request: VectorMatch) -> Matches:
        def score(layer: Layer) -> ScoredDocs:
            index = layer.segment.vectors[request.field]
            candidates = layer.select_candidates(request.filters)
            return index.search(request.vector, request.limit, candidates, request.filters)

        return self._merge_layers(request, score)

    def match_neighbours(self, request: NeighbourMatch) -> Matches:
        def score(layer: Layer) -> ScoredDocs:
            places, scores = layer.segment.score_neighbours(request.seeds)
            kept = contains(layer.select_candidates(request.filters), places)
            return places[kept], scores[kept]

        return self._merge_layers(request, score)

    def _merge_layers(self, request: MatchRequest, score: Callable[[Layer], ScoredDocs]) -> Matches:
        if len(self.layers) == 1:
            return _select_best(request, self.layers[0].segment.ids, *score(self.layers[0]))
        found = [score(layer) for layer in self.layers]
        ids = [layer.segment.ids[places] for layer, (places, _) in zip(self.layers, found, strict=True)]
        scores = np.concatenate([scores for _, scores in found])
        return select_best_matches(request.source, np.concatenate(ids), scores, request.limit)


def _select_best(
    request: MatchRequest, ids: ItemIds, doc_ids: NDArray[np.int64], scores: NDArray[np.float32]
) -> Matches:
    """As `best_first`; places of one segment are in the order of its ids, and faster to sort."""
    order = rank_doc_ids(doc_ids, scores, request.limit)
    return Matches(request.source, ids[doc_ids[order]], scores[order])


def rank_doc_ids(doc_ids: NDArray[np.int64], scores: NDArray[np.float32], limit: int) -> NDArray[np.int64]:
    """Where the `limit` best are: the highest scores first, equal ones by place.

    Both are made into one whole number, which sorts several times faster than two keys: the bits of a float
    are in the order of what it says once those of negative ones are turned around.
    """
    bits = (0 - scores).view(np.int32)
    falling = bits ^ ((bits >> 31) & 0x7FFFFFFF)
    keys = (falling.astype(np.int64) << 32) | doc_ids
    if len(keys) <= 4 * limit:
        return np.argsort(keys)[:limit]
    best = np.argpartition(keys, limit)[:limit]
    return best[np.argsort(keys[best])]


def build_snapshot(version: str, segment: Segment) -> Snapshot:
    return Snapshot(version, segment.seq, (Layer(segment, segment.live_docs),))


def _hide_rows(layer: Layer, rows: NDArray[np.int64]) -> Layer:
    places = layer.segment.find_doc_ids(rows)
    return replace(layer, live_docs=clear_bits(layer.live_docs, places[places >= 0]))


def _build_in_memory(seq: int, changes: Sequence[Row]) -> Segment:
    there = sorted((row for row in changes if not row[2]), key=lambda row: row[1])
    rows = np.array([row[0] for row in there], np.int64)
    builder = SegmentBuilder(item_ids(row[1] for row in there), rows, _allocate_zeros)
    builder.add(there)
    builder.finish()
    return assemble_segment(seq, builder.names, builder.arrays, {})


def _allocate_zeros(_name: str, shape: tuple[int, ...], dtype: type) -> NDArray[np.generic]:
    return np.zeros(shape, dtype)
