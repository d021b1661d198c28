"""Exploration: a few places of a page go to items drawn by Thompson sampling, each with its chance known."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reelrank.ranking.items.popularity import Posterior

POOL_SIZE = 50
"""A place is drawn among so many next in line: two pages and a half of 20. A choice, not a finding."""
ITEMS_PER_SLOT = 10
"""Of a page, at most one place in so many is drawn; shorter ones explore nothing. A budget, not a finding."""
UNIFORM_SHARE, KEPT_SHARE = 0.1, 0.1
"""Of the chance, what all in line share alike, and what the first has, which the ranking put there: nobody is
without one, and what the ranking alone would have earned is known after some hundred pages."""
GRID = (np.arange(128) + 0.5) / 128
"""Of square roots of shares: they are small, so cells are narrow where they lie. Chances are within 0.01 of
sampled ones up to some ten thousand impressions an item."""
Floats = NDArray[np.float64]
Indexes = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class ExplorationSlot:
    """place: of the list, from 0, that was drawn. came_from: where the ranking had the item. propensity: the
    chance that it would be this item, after the draws before it."""

    place: int
    came_from: int
    propensity: float


def choose_positions(limit: int, max_slots: int) -> list[int]:
    """Where a page of `limit` items is drawn: at most `slots` places, evenly apart, never the first."""
    few = min(max_slots, limit // ITEMS_PER_SLOT)
    return [number * limit // (few + 1) for number in range(1, few + 1)]


def explore(
    order: Indexes, positions: list[int], compute_posterior: Callable[[Indexes], Posterior], seed: int
) -> tuple[Indexes, tuple[ExplorationSlot, ...]]:
    """The order [n] of candidates, best first, with one of the next POOL at each of these places of it, which
    ascend; and how each was drawn. The others keep their order.

    posterior_of: candidates [k], as they stand in the order, to what is believed of them. Thompson
    sampling as probability matching: one is drawn with the chance that its share of used impressions is
    the highest of those in line (Thompson 1933; Chapelle & Li 2011). The chances are computed and not
    sampled, so a draw's propensity is exactly what it was drawn with.
    """
    ranked, rng, draws = order, np.random.default_rng(seed), list[ExplorationSlot]()
    for place in positions:
        line = order[place : place + POOL_SIZE]
        if len(line) < 2:
            break
        chances = compute_propensities(compute_posterior(line))
        drawn = int(rng.choice(len(line), p=chances))
        order = np.concatenate([order[:place], line[drawn : drawn + 1], np.delete(order[place:], drawn)])
        came_from = int(np.flatnonzero(ranked == line[drawn])[0])
        draws.append(ExplorationSlot(place, came_from, float(chances[drawn])))
    return order, tuple(draws)


def compute_propensities(posterior: Posterior) -> Floats:
    """Chance [n] of each item in line to be drawn; they add up to 1."""
    chances = (1 - UNIFORM_SHARE - KEPT_SHARE) * compute_best_probabilities(posterior)
    chances += UNIFORM_SHARE / len(chances)
    chances[0] += KEPT_SHARE
    return chances


def compute_best_probabilities(posterior: Posterior) -> Floats:
    """Chance [n] that an item's share, Beta(used, passed), is the highest, on a grid of shares.

    The sum over the grid of an item's own density times the distributions of all others.
    """
    share = GRID**2
    used, passed = posterior.alpha[:, None], posterior.beta[:, None]
    density = np.log(share) * (used - 1) + np.log1p(-share) * (passed - 1)
    density = np.exp(density - density.max(axis=1, keepdims=True)) * GRID  # a cell is as wide as its root
    density /= density.sum(axis=1, keepdims=True)
    below = np.log(np.maximum(np.cumsum(density, axis=1) - density / 2, 1e-300))
    best = (density * np.exp(below.sum(axis=0) - below)).sum(axis=1)
    return np.asarray(best / best.sum())
