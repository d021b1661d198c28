"""Thompson sampling: a few positions of a page show items picked at random, with known probabilities.

What is believed of items comes from `ranking/items/popularity`: `exposures.py` without context,
`slot_rates.py` with it. The probabilities are computed in `best_arm.py`.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from reelrank.index_mappings.event import DAY_MS
from reelrank.index_mappings.match import ItemIds
from reelrank.index_mappings.query import Query
from reelrank.ranking.items.popularity.posterior import Posterior
from reelrank.ranking.items.popularity.slot_rates import locate_cells
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
REFERENCE_SALT = np.uint64(0x5265666572656E63)
"""Keeps the luck of the reference bucket apart from that of items."""
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ThompsonSampling(RandomPolicy):
    """Fills as many positions of a page as the config has slots for pages of its kind."""

    def apply(self, order: Order, candidates: ScoredCandidates, config: RankingConfig) -> PolicyResult:
        query = candidates.query
        positions = choose_positions(query.limit, config.count_slots(query.kind))
        if not positions:
            return PolicyResult(order)
        return explore(candidates.ids, order, positions, choose_weights(candidates, config), candidates.seed)


def choose_weights(candidates: ScoredCandidates, config: RankingConfig) -> Callable[[Order], Floats]:
    """Returns what weighs the pools of a request: a function to the propensities [n] of a pool [n]."""
    if is_reference(candidates.seed, config.random_exploration_share):
        return weigh_evenly
    return partial(_weigh_pool, candidates, config.contextual_exploration)


def _weigh_pool(candidates: ScoredCandidates, is_contextual: bool, pool: Order) -> Floats:
    """Returns the propensities of a pool by what is believed of its items, alone or on this page."""
    rows, popularity = candidates.rows[pool], candidates.popularity
    if not is_contextual:
        return compute_propensities(popularity.exposures.compute_posterior(rows, popularity.now_ms))
    query, rates = candidates.query, popularity.slots.rates
    ages = query.context.at_ms // DAY_MS - candidates.get_signal("published_day", -np.inf)[pool]
    cells = locate_cells(query.kind == "similar", np.arange(len(pool)), ages)
    gains = popularity.exposures.compute_gains(rows, popularity.now_ms)
    return compute_propensities(gains.compute_posterior(rates.rates[cells], rates.variances[cells]))


def is_reference(seed: int, share: float) -> bool:
    """Returns whether a request is of the reference bucket: its slots show all items of a pool alike often.

    share: of all seeds.
    """
    luck = _mix_bits(np.array([seed % 2**64], np.uint64) ^ REFERENCE_SALT)[0]
    return bool(luck < share * 2.0**64)


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
    ids: ItemIds, order: Order, positions: list[int], weigh: Callable[[Order], Floats], seed: int
) -> PolicyResult:
    """Fills each of these ascending positions with one of the POOL_SIZE candidates from it on.

    All other candidates keep their order. weigh: returns the probability of each candidate of a pool, so
    the propensity of a pick is exact. ids [n]: of the candidates; the luck of each is its own, whatever else
    is in the pool.
    """
    ranked, changes = order, list[PositionChange]()
    for position in positions:
        pool = order[position : position + POOL_SIZE]
        if len(pool) < 2:
            break
        propensities = weigh(pool)
        picked = int(np.argmax(np.log(propensities) + draw_gumbel(ids[pool], seed + position)))
        order = np.concatenate(
            [order[:position], pool[picked : picked + 1], np.delete(order[position:], picked)]
        )
        ranked_position = int(np.flatnonzero(ranked == pool[picked])[0])
        changes.append(PositionChange(position, ranked_position, float(propensities[picked])))
    return PolicyResult(order, tuple(changes))


def weigh_evenly(pool: Order) -> Floats:
    """Returns the same probability [n] for each item of a pool."""
    return np.full(len(pool), 1 / len(pool))


def compute_propensities(posterior: Posterior) -> Floats:
    """Returns the probability [n] with which each item of the pool is picked; the sum is 1.

    Thompson sampling as probability matching: an item is picked with the probability that its rate of use is
    the highest of the pool (Thompson 1933; Chapelle & Li 2011), within the floors.
    """
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
