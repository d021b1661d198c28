"""Exploration: a few places of a page go to items drawn by Thompson sampling, each with its chance known."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ranking.popularity import Posterior

POOL = 50
"""A place is drawn among so many next in line: two pages and a half of 20. A choice, not a finding."""
PAGE_SHARE = 10
"""Of a page, at most one place in so many is drawn; shorter ones explore nothing. A budget, not a finding."""
UNIFORM_SHARE, KEPT_SHARE = 0.1, 0.1
"""Of the chance, what all in line share alike, and what the first has, which the ranking put there: nobody is
without one, and what the ranking alone would have earned is known after some hundred pages."""
GRID = (np.arange(128) + 0.5) / 128
"""Of square roots of shares: they are small, so cells are narrow where they lie. Chances are within 0.01 of
sampled ones up to some ten thousand impressions an item."""
Floats = NDArray[np.float64]
Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Draw:
    """place: of the list, from 0, that was drawn. came_from: where the ranking had the item. propensity: the
    chance that it would be this item, after the draws before it."""

    place: int
    came_from: int
    propensity: float


def places_of(limit: int, slots: int) -> list[int]:
    """Where a page of `limit` items is drawn: at most `slots` places, evenly apart, never the first."""
    few = min(slots, limit // PAGE_SHARE)
    return [number * limit // (few + 1) for number in range(1, few + 1)]


def explore(
    order: Places, places: list[int], posterior_of: Callable[[Places], Posterior], seed: int
) -> tuple[Places, tuple[Draw, ...]]:
    """The order [n] of candidates, best first, with one of the next POOL at each of these places of it, which
    ascend; and how each was drawn. The others keep their order.

    posterior_of: candidates [k], as they stand in the order, to what is believed of them. Thompson
    sampling as probability matching: one is drawn with the chance that its share of used impressions is
    the highest of those in line (Thompson 1933; Chapelle & Li 2011). The chances are computed and not
    sampled, so a draw's propensity is exactly what it was drawn with.
    """
    ranked, rng, draws = order, np.random.default_rng(seed), list[Draw]()
    for place in places:
        line = order[place : place + POOL]
        if len(line) < 2:
            break
        chances = chances_of(posterior_of(line))
        drawn = int(rng.choice(len(line), p=chances))
        order = np.concatenate([order[:place], line[drawn : drawn + 1], np.delete(order[place:], drawn)])
        came_from = int(np.flatnonzero(ranked == line[drawn])[0])
        draws.append(Draw(place, came_from, float(chances[drawn])))
    return order, tuple(draws)


def chances_of(posterior: Posterior) -> Floats:
    """Chance [n] of each item in line to be drawn; they add up to 1."""
    chances = (1 - UNIFORM_SHARE - KEPT_SHARE) * chances_to_be_best(posterior)
    chances += UNIFORM_SHARE / len(chances)
    chances[0] += KEPT_SHARE
    return chances


def chances_to_be_best(posterior: Posterior) -> Floats:
    """Chance [n] that an item's share, Beta(used, passed), is the highest, on a grid of shares.

    The sum over the grid of an item's own density times the distributions of all others.
    """
    share = GRID**2
    used, passed = posterior.used[:, None], posterior.passed[:, None]
    density = np.log(share) * (used - 1) + np.log1p(-share) * (passed - 1)
    density = np.exp(density - density.max(axis=1, keepdims=True)) * GRID  # a cell is as wide as its root
    density /= density.sum(axis=1, keepdims=True)
    below = np.log(np.maximum(np.cumsum(density, axis=1) - density / 2, 1e-300))
    best = (density * np.exp(below.sum(axis=0) - below)).sum(axis=1)
    return np.asarray(best / best.sum())
