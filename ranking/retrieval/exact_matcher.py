"""An exact matcher in memory: kNN and neighbours by numpy over an item table, text by a given engine.

The backtest needs matches by embeddings that were never in an index.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from reelrank.index_mappings.engine import Matcher, NeighbourMatch, TextMatch, VectorMatch
from reelrank.index_mappings.fields import to_neighbour_level, to_neighbour_weight
from reelrank.index_mappings.item import Neighbour
from reelrank.index_mappings.match import Matches, encode_item_ids, select_best_matches
from reelrank.ranking.items.table import ItemTable, Rows


class ExactMatcher:
    """A `Matcher` over one table. neighbours: by item id. text: answers text requests."""

    def __init__(
        self, table: ItemTable, neighbours: Mapping[str, Sequence[Neighbour]], text: Matcher
    ) -> None:
        self.table = table
        self.text = text
        self.carrier_matrix = _build_carrier_matrix(table, neighbours)
        self.with_vector = {field: np.flatnonzero(table.has_vector(field)) for field in table.vectors}

    def match_text(self, request: TextMatch, timeout_s: float) -> Matches:
        return self.text.match_text(request, timeout_s)

    def match_vector(self, request: VectorMatch, timeout_s: float) -> Matches:
        rows = self.with_vector[request.field]
        rows = rows[self._apply_filters(request, rows)]
        scores = (self.table.vectors[request.field] @ request.vector)[rows]
        return self._select_best(request, rows, scores)

    def match_ids(self, request: NeighbourMatch, timeout_s: float) -> Matches:
        rows = self.table.find_rows(encode_item_ids(seed.id for seed in request.seeds))
        weights = np.array([seed.weight for seed in request.seeds], np.float32)
        known = rows >= 0
        scores = np.asarray(self.carrier_matrix[rows[known]].T @ weights[known], np.float32).ravel()
        found = np.flatnonzero(scores > 0)
        found = found[self._apply_filters(request, found)]
        return self._select_best(request, found, scores[found])

    def _apply_filters(self, request: VectorMatch | NeighbourMatch, rows: Rows) -> NDArray[np.bool_]:
        return self.table.passes(request.filters, rows)

    def _select_best(
        self, request: VectorMatch | NeighbourMatch, rows: Rows, scores: NDArray[np.float32]
    ) -> Matches:
        """Sorts only the rows that can be among the best; most cannot."""
        if len(rows) > request.limit > 0:
            is_best = scores >= np.partition(scores, -request.limit)[-request.limit]
            rows, scores = rows[is_best], scores[is_best]
        return select_best_matches(request.source, self.table.ids[rows], scores, request.limit)


def _build_carrier_matrix(table: ItemTable, neighbours: Mapping[str, Sequence[Neighbour]]) -> csr_matrix:
    """Returns a matrix [seed, carrier] of quantised weights.

    A weight says how strongly an item (column) carries a neighbour (row).
    """
    carriers = np.repeat(table.find_rows(encode_item_ids(neighbours)), [len(n) for n in neighbours.values()])
    seeds = table.find_rows(encode_item_ids(n.id for listed in neighbours.values() for n in listed))
    weights = [
        to_neighbour_weight(to_neighbour_level(n.weight)) for listed in neighbours.values() for n in listed
    ]
    known = (carriers >= 0) & (seeds >= 0)
    entries = np.array(weights, np.float32)[known]
    return csr_matrix((entries, (seeds[known], carriers[known])), shape=(len(table), len(table)))
