"""Team-draft interleaving: two rankings merged into one list, in which each item belongs to one of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reelrank.ranking.policies.policy import Order

DRAFTED = 100
"""Positions that are drafted: the largest page. What follows keeps the order of the first ranking."""
NO_TEAM = -1
"""Team of an item that neither ranking put into the list; 0 is that of the first ranking, 1 of the second."""
Teams = NDArray[np.int8]


@dataclass(frozen=True, slots=True, eq=False)
class DraftedOrder:
    """order: the first ranking's items and those that only the second had. teams [n]: of each candidate, by
    its index, not by its position; NO_TEAM for what was not drafted."""

    order: Order
    teams: Teams


def draft_teams(first: Order, second: Order, candidates: int, seed: int) -> DraftedOrder:
    """Merges two rankings of some of n candidates (Radlinski, Kurup & Joachims 2008).

    In each round a coin decides which ranking chooses first; each then adds its best item that is not in the
    list yet. So both have the same chance of every position. The same seed throws the same coins.
    """
    coins = np.random.default_rng(seed).integers(0, 2, DRAFTED // 2).tolist()
    drafted = _draft(first[:DRAFTED].tolist(), second[:DRAFTED].tolist(), coins)
    teams = np.full(candidates, NO_TEAM, np.int8)
    items = np.array(list(drafted), np.intp)
    teams[items] = list(drafted.values())
    is_in_first = np.zeros(candidates, np.bool_)
    is_in_first[first] = True
    rest = np.concatenate([first, second[~is_in_first[second]]])
    return DraftedOrder(np.concatenate([items, rest[teams[rest] == NO_TEAM]]), teams)


def _draft(first: list[int], second: list[int], coins: list[int]) -> dict[int, int]:
    """Returns the team of each drafted item, in the order of the draft.

    In plain Python, since each choice depends on those before it; it never looks beyond DRAFTED items.
    """
    queues, teams = (iter(first), iter(second)), dict[int, int]()
    for coin in coins:
        for team in (coin, 1 - coin):
            best = next((item for item in queues[team] if item not in teams), None)
            if best is not None:
                teams[best] = team
    return teams
