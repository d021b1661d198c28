"""The input and the result of a policy."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from reelrank.index_mappings.match import ItemIds
from reelrank.index_mappings.query import Query
from reelrank.ranking.column import Column
from reelrank.ranking.items.popularity.counters import Popularity
from reelrank.ranking.items.table import ItemTable, Rows
from reelrank.ranking.rankers.lambdarank import FusedOrder

Order = NDArray[np.intp]
"""Positions [n] of candidates, the first to be shown first."""


@dataclass(frozen=True, slots=True, eq=False)
class ScoredCandidates:
    """n candidates of a query: ids [n], rows [n] of `table` (-1 where it lacks the item), scores [n].

    source_scores: scores [n] by source, NaN where it did not find the candidate. signals: by name, [n] or
    [1]. popularity: counters of the table's rows. seed: of this request, for policies that pick at random.
    model: whose scores they are. all_words [n]: whether a text source found every word of the query in it.
    is_cold_start: the viewer has no past, and no model that ranks better than popularity then.
    """

    query: Query
    ids: ItemIds
    rows: Rows
    scores: NDArray[np.float32]
    source_scores: Mapping[str, NDArray[np.float32]]
    table: ItemTable
    popularity: Popularity
    seed: int
    model: str = FusedOrder.name
    signals: Mapping[str, Column] = field(default_factory=dict)
    all_words: NDArray[np.bool_] | None = None
    is_cold_start: bool = False

    def get_source_scores(self, source: str) -> NDArray[np.float32]:
        """Returns the scores [n] of one source; all NaN when it was not asked or did not answer."""
        scores = self.source_scores.get(source)
        return np.full(len(self.scores), np.nan, np.float32) if scores is None else scores

    def get_signal(self, name: str, unknown: float) -> NDArray[np.float64]:
        """Returns a signal [n]; `unknown` where it is missing."""
        n = len(self.scores)
        signal = self.signals.get(name)
        if signal is None:
            return np.full(n, unknown)
        values = np.broadcast_to(signal.astype(np.float64), (n,))
        return np.where(np.isnan(values), unknown, values)


@dataclass(frozen=True, slots=True)
class PositionChange:
    """A candidate that a policy chose for a position of the list, from 0.

    ranked_position: where the order before the policy had it. propensity: the probability of this choice,
    given the choices before it; None for a policy that does not pick at random.
    """

    position: int
    ranked_position: int
    propensity: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class PolicyResult:
    """The new order [n] of the same candidates, and what was changed on purpose to get it."""

    order: Order
    changes: tuple[PositionChange, ...] = ()
