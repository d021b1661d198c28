"""Diversity: maximal marginal relevance keeps a home page from showing the same kind of item in a row."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reelrank.ranking.policies.config import RankingConfig
from reelrank.ranking.policies.policy import Order, PolicyResult, ScoredCandidates

POOL_SIZE = 100
"""Candidates from which the page is chosen: five pages of 20. A choice; no measurement is recorded."""
SPACE = "text"
"""Vectors in which items are compared: every item has one, also a new one that nobody watched."""


@dataclass(frozen=True, slots=True)
class MaximalMarginalRelevance:
    """Chooses each position of a home page by relevance and by distance from the items above it.

    The item with the highest (1 - d) relevance - d similarity comes next (Carbonell & Goldstein 1998), with d
    the `diversity` of the config. Relevance falls evenly from 1 to 0 over the pool, because scores of models
    and of fusion have no common scale; similarity is the highest cosine with an item already chosen. Beyond
    the page and the pool the order stays.
    """

    def apply(self, order: Order, candidates: ScoredCandidates, config: RankingConfig) -> PolicyResult:
        query = candidates.query
        if query.kind != "home" or config.diversity <= 0 or len(order) < 3:
            return PolicyResult(order)
        pool = order[:POOL_SIZE]
        chosen = choose_diverse(_compare(candidates, pool), query.limit, config.diversity)
        is_left = np.ones(len(pool), bool)
        is_left[chosen] = False
        return PolicyResult(np.concatenate([pool[chosen], pool[is_left], order[POOL_SIZE:]]))


def choose_diverse(similarity: NDArray[np.float32], count: int, diversity: float) -> NDArray[np.intp]:
    """Returns the positions [count] to show of a pool in the order of relevance; the first stays first.

    similarity [n, n]: between 0 and 1.
    """
    n = len(similarity)
    relevance = (1 - diversity) * (1 - np.arange(n) / n)
    highest = np.zeros(n)
    chosen = np.empty(min(count, n), np.intp)
    for position in range(len(chosen)):
        best = int(np.argmax(relevance - diversity * highest))
        chosen[position] = best
        relevance[best] = -np.inf
        np.maximum(highest, similarity[best], out=highest)
    return chosen


def _compare(candidates: ScoredCandidates, pool: Order) -> NDArray[np.float32]:
    """Returns cosines [n, n], not below 0; 0 for an item without a vector."""
    rows = candidates.rows[pool]
    vectors = np.where(rows[:, None] >= 0, candidates.table.vectors[SPACE][rows], 0).astype(np.float32)
    return np.asarray(np.maximum(vectors @ vectors.T, 0), np.float32)
