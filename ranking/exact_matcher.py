"""An exact matcher in memory: kNN and neighbours by numpy over an item table, words by the engine given.

Replay needs answers from embeddings that were never put into an index; this gives them.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.sparse import csr_matrix

from index_mappings.engine import Matcher, NeighbourMatch, TextMatch, VectorMatch
from index_mappings.fields import level_weight, neighbour_level
from index_mappings.item import Neighbour
from index_mappings.match import Matches, best_first, item_ids
from ranking.item_table import ItemTable


class ExactMatcher:
    """Fulfils `Matcher` over one table; neighbours by item id, words by `text`."""

    def __init__(
        self, table: ItemTable, neighbours: Mapping[str, Sequence[Neighbour]], text: Matcher
    ) -> None:
        self.table = table
        self.text = text
        self.carriers = _carriers(table, neighbours)

    def match_text(self, request: TextMatch, timeout_s: float) -> Matches:
        return self.text.match_text(request, timeout_s)

    def match_vector(self, request: VectorMatch, timeout_s: float) -> Matches:
        vectors = self.table.vectors[request.field]
        allowed = self.table.has_vector(request.field) & self._passing(request)
        rows = np.flatnonzero(allowed)
        scores = (vectors @ request.vector)[rows]
        return best_first(request.source, self.table.ids[rows], scores, request.limit)

    def match_ids(self, request: NeighbourMatch, timeout_s: float) -> Matches:
        rows = self.table.rows(item_ids(seed.id for seed in request.seeds))
        weights = np.array([seed.weight for seed in request.seeds], np.float32)
        known = rows >= 0
        scores = np.asarray(self.carriers[rows[known]].T @ weights[known], np.float32).ravel()
        found = np.flatnonzero((scores > 0) & self._passing(request))
        return best_first(request.source, self.table.ids[found], scores[found], request.limit)

    def _passing(self, request: VectorMatch | NeighbourMatch) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        if request.filters.is_empty:
            return np.ones(len(self.table), bool)
        return self.table.passes(request.filters, np.arange(len(self.table)))


def _carriers(table: ItemTable, neighbours: Mapping[str, Sequence[Neighbour]]) -> csr_matrix:
    """[seed, carrier]: the quantised weight with which an item (column) carries a neighbour (row)."""
    carriers = np.repeat(table.rows(item_ids(neighbours)), [len(n) for n in neighbours.values()])
    seeds = table.rows(item_ids(n.id for each in neighbours.values() for n in each))
    weights = [level_weight(neighbour_level(n.weight)) for each in neighbours.values() for n in each]
    known = (carriers >= 0) & (seeds >= 0)
    entries = np.array(weights, np.float32)[known]
    return csr_matrix((entries, (seeds[known], carriers[known])), shape=(len(table), len(table)))
