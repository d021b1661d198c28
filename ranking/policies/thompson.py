"""Thompson sampling: a few positions of a page show items picked at random, with known probabilities.

The posteriors of items are computed in `ranking/items/popularity.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reelrank.ranking.items.popularity import Posterior
from reelrank.ranking.policies.config import RankingConfig
from reelrank.ranking.policies.policy import Order, PolicyResult, PositionChange, ScoredCandidates

POOL_SIZE = 50
"""Candidates from which the item of a slot is picked: two and a half pages of 20. A choice, not a finding."""
ITEMS_PER_SLOT = 10
"""Items of a page per slot; a shorter page has no slot. A budget, not a finding."""
UNIFORM_SHARE, KEPT_SHARE = 0.1, 0.1
"""Probability floors: UNIFORM_SHARE is spread evenly over the pool, KEPT_SHARE is reserved for the item that
the ranker put in the slot. They bound the importance weights of off-policy estimates."""
GRID = (np.arange(128) + 0.5) / 128
"""Square roots of click shares: shares are small, so cells are narrow where shares lie. Probabilities are
within 0.01 of sampled ones up to some ten thousand impressions an item."""
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ThompsonSampling:
    """Fills at most `config.exploration_slots` positions of a home page or of similar items.

    Searches have no slots: viewers who type know what they want.
    """

    def apply(self, order: Order, candidates: ScoredCandidates, config: RankingConfig) -> PolicyResult:
        query = candidates.query
        positions = [] if query.kind == "search" else choose_positions(query.limit, config.exploration_slots)
        if not positions:
            return PolicyResult(order)

        def compute_posterior(pool: Order) -> Posterior:
            return candidates.popularity.compute_posterior(candidates.rows[pool])

        return explore(order, positions, compute_posterior, candidates.seed)


def choose_positions(limit: int, max_slots: int) -> list[int]:
    """Positions of at most `max_slots` slots on a page of `limit` items: evenly apart, never the first."""
    slots = min(max_slots, limit // ITEMS_PER_SLOT)
    return [number * limit // (slots + 1) for number in range(1, slots + 1)]


def explore(
    order: Order, positions: list[int], compute_posterior: Callable[[Order], Posterior], seed: int
) -> PolicyResult:
    """Fills each of these ascending positions with one of the POOL_SIZE candidates from it on.

    All other candidates keep their order. Thompson sampling as probability matching: a candidate is picked
    with the probability that its click share is the highest of the pool (Thompson 1933; Chapelle & Li 2011).
    The probabilities are computed, not sampled, so the propensity of a pick is exact.
    """
    ranked, rng, changes = order, np.random.default_rng(seed), list[PositionChange]()
    for position in positions:
        pool = order[position : position + POOL_SIZE]
        if len(pool) < 2:
            break
        propensities = compute_propensities(compute_posterior(pool))
        picked = int(rng.choice(len(pool), p=propensities))
        order = np.concatenate(
            [order[:position], pool[picked : picked + 1], np.delete(order[position:], picked)]
        )
        ranked_position = int(np.flatnonzero(ranked == pool[picked])[0])
        changes.append(PositionChange(position, ranked_position, float(propensities[picked])))
    return PolicyResult(order, tuple(changes))


def compute_propensities(posterior: Posterior) -> Floats:
    """Returns the probability [n] with which each item of the pool is picked; the sum is 1."""
    propensities = (1 - UNIFORM_SHARE - KEPT_SHARE) * compute_best_probabilities(posterior)
    propensities += UNIFORM_SHARE / len(propensities)
    propensities[0] += KEPT_SHARE
    return propensities


def compute_best_probabilities(posterior: Posterior) -> Floats:
    """Returns the probability [n] that an item's click share, Beta(alpha, beta), is the highest of all.

    It is the sum over GRID of the item's own density times the distributions of all others.
    """
    share = GRID**2
    alpha, beta = posterior.alpha[:, None], posterior.beta[:, None]
    density = np.log(share) * (alpha - 1) + np.log1p(-share) * (beta - 1)
    density = np.exp(density - density.max(axis=1, keepdims=True)) * GRID  # a cell is as wide as its root
    density /= density.sum(axis=1, keepdims=True)
    below = np.log(np.maximum(np.cumsum(density, axis=1) - density / 2, 1e-300))
    best = (density * np.exp(below.sum(axis=0) - below)).sum(axis=1)
    return np.asarray(best / best.sum())
