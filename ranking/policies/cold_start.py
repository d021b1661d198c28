"""Cold start: the home page of a viewer without a past is in the order of popularity until a model proves to
be better."""

from dataclasses import dataclass

import numpy as np

from reelrank.ranking.items.popularity.half_lives import HALF_LIVES_DAYS, find_half_life
from reelrank.ranking.policies.config import RankingConfig
from reelrank.ranking.policies.policy import Order, PolicyResult, ScoredCandidates

FIRST_PAGE = 20
"""Items that are ordered by popularity, or as many as the page has: a page of the default size."""
SHARE_SIGNALS = tuple(f"share_{int(days)}d" for days in HALF_LIVES_DAYS)


@dataclass(frozen=True, slots=True)
class PopularForColdStart:
    """Puts the most watched candidates first on the home page of a viewer of whom nothing is known.

    The half-life is that of the `popular` source; equal shares keep the fused order. What nobody watched and
    what is beyond the first page keep their places, so that exploration slots still reach new items.
    """

    def apply(self, order: Order, candidates: ScoredCandidates, config: RankingConfig) -> PolicyResult:
        if candidates.query.kind != "home" or not candidates.is_cold_start:
            return PolicyResult(order)
        signal = SHARE_SIGNALS[find_half_life(config.popular_half_life_days)]
        shares = candidates.get_signal(signal, 0.0)
        count = min(max(candidates.query.limit, FIRST_PAGE), int(np.count_nonzero(shares > 0)))
        first = np.argsort(-shares, kind="stable")[:count]
        is_first = np.zeros(len(order), bool)
        is_first[first] = True
        return PolicyResult(np.concatenate([first, order[~is_first[order]]]))
