"""Similar items: what is like the item leads, whatever a model of home pages would show first."""

from dataclasses import dataclass

import numpy as np

from reelrank.ranking.policies.config import RankingConfig
from reelrank.ranking.policies.policy import Order, PolicyResult, ScoredCandidates


@dataclass(frozen=True, slots=True)
class SimilarOrder:
    """Puts a page of similar items into the fused order of its sources, all of which start from the item.

    Models learn from home pages and searches, where the most watched items lead. On a page of similar items
    they would put the same popular items first, whatever the item is.
    """

    def apply(self, order: Order, candidates: ScoredCandidates, config: RankingConfig) -> PolicyResult:
        if candidates.query.kind != "similar":
            return PolicyResult(order)
        return PolicyResult(np.arange(len(order)))
