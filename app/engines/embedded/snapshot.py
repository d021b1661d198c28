"""What answers: a segment from disk, and over it the live changes since, each hiding what it replaces."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from app.engines.embedded.bitmap import Bitmap, holds, without
from app.engines.embedded.segment import Scores, Segment, segment_of
from app.engines.embedded.segment_builder import Row, SegmentBuilder
from index_mappings.engine import NeighbourMatch, TextMatch, VectorMatch
from index_mappings.match import ItemIds, Matches, best_first, item_ids
from index_mappings.query import Filters

AnyMatch = TextMatch | VectorMatch | NeighbourMatch


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """A segment and which of its documents are neither deleted nor replaced by a later layer."""

    segment: Segment
    living: Bitmap

    def candidates(self, filters: Filters) -> Bitmap:
        """Documents that may be answered under these filters."""
        return self.living if filters.is_empty else self.living & self.segment.filters.passing(filters)


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """One version as of change `seq`. Later layers replace earlier ones; `changed` rows are in those."""

    version: str
    seq: int
    layers: tuple[Layer, ...]
    changed: int = 0

    @property
    def covered(self) -> int:
        """The change up to which the segment on disk reaches."""
        return self.layers[0].segment.seq

    def after(self, changes: Sequence[Row], seq: int) -> "Snapshot":
        """With these changed rows in a layer of their own."""
        rows = np.array([row[0] for row in changes], np.int64)
        below = tuple(_without(layer, rows) for layer in self.layers)
        segment = _in_memory(seq, changes)
        layers = (*below, Layer(segment, segment.living)) if len(segment) else below
        return Snapshot(self.version, seq, layers, self.changed + len(changes))

    def of_rows(self, request: TextMatch, rows: NDArray[np.int64], scores: NDArray[np.float32]) -> Matches:
        """The documents that these database rows are here, if they are any."""

        def of(layer: Layer) -> Scores:
            places = layer.segment.places_of_rows(rows)
            here = (places >= 0) & holds(layer.living, places)
            return (places, scores) if here.all() else (places[here], scores[here])

        return self._best(request, of)

    def nearest(self, request: VectorMatch) -> Matches:
        def of(layer: Layer) -> Scores:
            index = layer.segment.vectors[request.field]
            candidates = layer.candidates(request.filters)
            return index.nearest(request.vector, request.limit, candidates, request.filters)

        return self._best(request, of)

    def carrying(self, request: NeighbourMatch) -> Matches:
        def of(layer: Layer) -> Scores:
            places, scores = layer.segment.carrying(request.seeds)
            kept = holds(layer.candidates(request.filters), places)
            return places[kept], scores[kept]

        return self._best(request, of)

    def _best(self, request: AnyMatch, of: Callable[[Layer], Scores]) -> Matches:
        if len(self.layers) == 1:
            return _best_places(request, self.layers[0].segment.ids, *of(self.layers[0]))
        found = [of(layer) for layer in self.layers]
        ids = [layer.segment.ids[places] for layer, (places, _) in zip(self.layers, found, strict=True)]
        scores = np.concatenate([scores for _, scores in found])
        return best_first(request.source, np.concatenate(ids), scores, request.limit)


def _best_places(
    request: AnyMatch, ids: ItemIds, places: NDArray[np.int64], scores: NDArray[np.float32]
) -> Matches:
    """As `best_first`; places of one segment are in the order of its ids, and faster to sort."""
    order = best_places(places, scores, request.limit)
    return Matches(request.source, ids[places[order]], scores[order])


def best_places(places: NDArray[np.int64], scores: NDArray[np.float32], limit: int) -> NDArray[np.int64]:
    """Where the `limit` best are: the highest scores first, equal ones by place.

    Both are made into one whole number, which sorts several times faster than two keys: the bits of a float
    are in the order of what it says once those of negative ones are turned around.
    """
    bits = (0 - scores).view(np.int32)
    falling = bits ^ ((bits >> 31) & 0x7FFFFFFF)
    keys = (falling.astype(np.int64) << 32) | places
    if len(keys) <= 4 * limit:
        return np.argsort(keys)[:limit]
    best = np.argpartition(keys, limit)[:limit]
    return best[np.argsort(keys[best])]


def snapshot_of(version: str, segment: Segment) -> Snapshot:
    return Snapshot(version, segment.seq, (Layer(segment, segment.living),))


def _without(layer: Layer, rows: NDArray[np.int64]) -> Layer:
    places = layer.segment.places_of_rows(rows)
    return replace(layer, living=without(layer.living, places[places >= 0]))


def _in_memory(seq: int, changes: Sequence[Row]) -> Segment:
    there = sorted((row for row in changes if not row[2]), key=lambda row: row[1])
    rows = np.array([row[0] for row in there], np.int64)
    builder = SegmentBuilder(item_ids(row[1] for row in there), rows, _zeros)
    builder.add(there)
    builder.finish()
    return segment_of(seq, builder.names, builder.arrays, {})


def _zeros(_name: str, shape: tuple[int, ...], dtype: type) -> NDArray[np.generic]:
    return np.zeros(shape, dtype)
