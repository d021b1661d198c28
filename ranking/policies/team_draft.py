"""Team-draft interleaving: two rankings merged into one list, in which each item belongs to one of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reelrank.ranking.policies.policy import Order

DRAFTED = 100
"""Positions that are drafted: the largest page. What follows keeps the order of the first ranking."""
FIRST, SECOND, NO_TEAM = 0, 1, -1
"""Teams: the ranking that put an item into the list."""
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
    rounds = DRAFTED // 2
    coins = np.random.default_rng(seed).integers(0, 2, rounds).tolist()
    rankings = first.tolist(), second.tolist()
    at, teams, drafted = [0, 0], [NO_TEAM] * candidates, list[int]()
    for coin in coins:
        for team in (coin, 1 - coin):
            ranking, position = rankings[team], at[team]
            while position < len(ranking) and teams[ranking[position]] != NO_TEAM:
                position += 1
            at[team] = position
            if position < len(ranking):
                teams[ranking[position]] = team
                drafted.append(ranking[position])
    found = np.array(teams, np.int8)
    rest = np.concatenate([first, second[~np.isin(second, first)]])
    order = np.concatenate([np.array(drafted, np.intp), rest[found[rest] == NO_TEAM]])
    return DraftedOrder(order.astype(np.intp), found)
