"""A judged request: a moment of the past, the candidates it had, and what the viewer went on to want."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reelrank.index_mappings.match import ItemIds
from reelrank.ranking.retrieval.fusion import Candidates
from reelrank.ranking.viewers.request import RankingRequest


@dataclass(frozen=True, slots=True, eq=False)
class JudgedRequest:
    """One request replayed as of its moment, with n candidates, r relevant items and F features.

    relevant [r] of ID_DTYPE without repeats, among them items that no source found; gains [r]
    float32, above 0, of `relevant` in its order. kind: `home` or `search`. features [n, F] float32,
    NaN where missing; popularity [n] float32, share of recent watches as of the moment.
    """

    request: RankingRequest
    candidates: Candidates
    relevant: ItemIds
    gains: NDArray[np.float32]
    kind: str
    features: NDArray[np.float32]
    popularity: NDArray[np.float32]

    def compute_candidate_gains(self) -> NDArray[np.float32]:
        """Gains [n] of the candidates in their order; 0 where not relevant."""
        ids, gains = self.candidates.ids, np.zeros(len(self.candidates), np.float32)
        if len(self.relevant) and len(ids):
            order = np.argsort(self.relevant)
            place = np.minimum(np.searchsorted(self.relevant, ids, sorter=order), len(order) - 1)
            found = self.relevant[order[place]] == ids
            gains[found] = self.gains[order[place[found]]]
        return gains
