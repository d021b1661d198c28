"""What answers: a segment from disk, and over it the live changes since, each hiding what it replaces."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from app.engines.embedded.bitmap import Bitmap, holds, without
from app.engines.embedded.segment import Scores, Segment, segment_of
from app.engines.embedded.segment_builder import Row, SegmentBuilder
from index_mappings.engine import NeighbourMatch, VectorMatch
from index_mappings.match import ItemIds, Matches, best_first, item_ids
from index_mappings.query import Filters


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

    def documents(self, rows: NDArray[np.int64]) -> tuple[ItemIds, NDArray[np.bool_]]:
        """The id of each database row, and whether it is a document here; without that, its id is empty."""
        ids, known = np.zeros(len(rows), self.layers[0].segment.ids.dtype), np.zeros(len(rows), bool)
        for layer in self.layers:
            places = layer.segment.places_of_rows(rows)
            here = (places >= 0) & holds(layer.living, places)
            ids[here], known[here] = layer.segment.ids[places[here]], True
        return ids, known

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

    def _best(self, request: VectorMatch | NeighbourMatch, of: Callable[[Layer], Scores]) -> Matches:
        found = [of(layer) for layer in self.layers]
        ids = [layer.segment.ids[places] for layer, (places, _) in zip(self.layers, found, strict=True)]
        scores = np.concatenate([scores for _, scores in found])
        return best_first(request.source, np.concatenate(ids), scores, request.limit)


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
