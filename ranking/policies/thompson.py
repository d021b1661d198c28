"""Thompson sampling: a few positions of a page show items picked at random, with known probabilities.

The posteriors of items are computed in `ranking/items/popularity/counters.py`, the probabilities in
`best_arm.py`.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reelrank.index_mappings.event import DAY_MS
from reelrank.index_mappings.match import ItemIds
from reelrank.index_mappings.query import Query
from reelrank.ranking.items.popularity.posterior import Posterior
from reelrank.ranking.policies.best_arm import compute_best_probabilities
from reelrank.ranking.policies.config import RandomPolicy, RankingConfig
from reelrank.ranking.policies.policy import Order, PolicyResult, PositionChange, ScoredCandidates

POOL_SIZE = 50
"""Candidates from which the item of a slot is picked: two and a half pages of 20. A choice, not a finding."""
ITEMS_PER_SLOT = 10
"""Items of a page per slot; a shorter page has no slot. A budget, not a finding."""
UNIFORM_SHARE, KEPT_SHARE = 0.1, 0.1
"""Probability floors: UNIFORM_SHARE is spread evenly over the pool, KEPT_SHARE is reserved for the item that
the ranker put in the slot. They bound the importance weights of off-policy estimates."""
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ThompsonSampling(RandomPolicy):
    """Fills as many positions of a page as the config has slots for pages of its kind."""

    def apply(self, order: Order, candidates: ScoredCandidates, config: RankingConfig) -> PolicyResult:
        query = candidates.query
        positions = choose_positions(query.limit, config.count_slots(query.kind))
        if not positions:
            return PolicyResult(order)

        def compute_posterior(pool: Order) -> Posterior:
            return candidates.popularity.compute_posterior(candidates.rows[pool])

        return explore(candidates.ids, order, positions, compute_posterior, candidates.seed)


def choose_positions(limit: int, max_slots: int) -> list[int]:
    """Returns the positions of at most `max_slots` slots on a page of `limit` items.

    They are evenly apart and never the first position.
    """
    slots = min(max_slots, limit // ITEMS_PER_SLOT)
    return [number * limit // (slots + 1) for number in range(1, slots + 1)]


def derive_seed(query: Query, user_key: str, request_id: str) -> int:
    """Derives the seed of a request: one a viewer, day (UTC) and list, so that a draw lasts for a day.

    user_key: keyed hash of the viewer; seeds are logged, and one of the user id would give the viewer away.
    Of a viewer who is not known, each request has its own: all of them would share a draw otherwise.
    """
    day = query.context.at_ms // DAY_MS
    parts = (user_key, str(day), query.kind, query.similar_to or "") if user_key else (request_id,)
    return int.from_bytes(hashlib.sha256("\0".join(parts).encode()).digest()[:8])


def explore(
    ids: ItemIds,
    order: Order,
    positions: list[int],
    compute_posterior: Callable[[Order], Posterior],
    seed: int,
) -> PolicyResult:
    """Fills each of these ascending positions with one of the POOL_SIZE candidates from it on.

    All other candidates keep their order. Thompson sampling as probability matching: a candidate is picked
    with the probability that its click share is the highest of the pool (Thompson 1933; Chapelle & Li 2011).
    The probabilities are computed, not sampled, so the propensity of a pick is exact.
    ids [n]: of the candidates; the luck of each is its own, whatever else is in the pool.
    """
    ranked, changes = order, list[PositionChange]()
    for position in positions:
        pool = order[position : position + POOL_SIZE]
        if len(pool) < 2:
            break
        propensities = compute_propensities(compute_posterior(pool))
        picked = int(np.argmax(np.log(propensities) + draw_gumbel(ids[pool], seed + position)))
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


def draw_gumbel(ids: ItemIds, seed: int) -> Floats:
    """Draws a standard Gumbel number [n] for each id, the same whenever the id and the seed are the same.

    The argmax of log p + Gumbel is an item with probability p (Gumbel 1954), and it changes only when
    probabilities do: a pool in another order, or without an item, gives the same pick.
    """
    words = np.ascontiguousarray(ids).view(np.uint64).reshape(len(ids), -1)
    mixed = np.full(len(ids), seed % 2**64, np.uint64)
    for word in words.T:
        mixed = _mix_bits(mixed ^ word)
    uniform = (_mix_bits(mixed) >> np.uint64(11)).astype(np.float64) + 0.5
    return np.asarray(-np.log(-np.log(uniform / 2**53)))


def _mix_bits(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Returns the next output of SplitMix64 (Steele, Lea & Flood 2014) for each state."""
    bits = bits + np.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(bits ^ (bits >> np.uint64(31)), np.uint64)
