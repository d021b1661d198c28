"""A judged request: a past request with its candidates and the items that were relevant to the viewer."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reelrank.index_mappings.match import ItemIds
from reelrank.ranking.policies.policy import Order
from reelrank.ranking.rankers.lambdarank import Ranker
from reelrank.ranking.retrieval.fusion import Candidates
from reelrank.ranking.viewers.request import RankingRequest

HOME, SIMULATED_SEARCH, REAL_SEARCH = "home", "simulated search", "real search"
"""Kinds of past requests. The text of a simulated search is made up from the title that was watched next."""
FEW_WATCHES = 5
PAST_WATCHES = {
    "0 past watches": (0, 0),
    f"1 to {FEW_WATCHES} past watches": (1, FEW_WATCHES),
    "more past watches": (FEW_WATCHES + 1, np.iinfo(np.int64).max),
}
"""Slices by how many items the viewer had watched before the page, both ends included."""


@dataclass(frozen=True, slots=True, eq=False)
class JudgedRequest:
    """A request computed with the state at its time, with n candidates, r relevant items and F features.

    relevant [r] ID_DTYPE: distinct ids, including items that no source found. gains [r] float32, above 0,
    aligned with `relevant`. kind: one of the above, or that of the query. features [n, F] float32, NaN where
    missing. popularity [n] float32: share of recent watches at the time of the request. scores [n] of a
    ranker; order [n]: the positions of the candidates as they would be shown, after the policies.
    """

    request: RankingRequest
    candidates: Candidates
    relevant: ItemIds
    gains: NDArray[np.float32]
    kind: str
    features: NDArray[np.float32]
    popularity: NDArray[np.float32]
    scores: NDArray[np.float32]
    order: Order

    def rerank(self, ranker: Ranker) -> "JudgedRequest":
        """Returns the same request in the order of another ranker's scores, without policies."""
        scores = ranker.score(self.features)
        return replace(self, scores=scores, order=np.argsort(-scores, kind="stable"))

    def compute_candidate_gains(self) -> NDArray[np.float32]:
        """Returns the gains [n] of the candidates; 0 where a candidate is not relevant."""
        return self.compute_gains(self.candidates.ids)

    def compute_gains(self, ids: ItemIds) -> NDArray[np.float32]:
        """Returns the gain of each id; 0 where it is not relevant."""
        gains = np.zeros(len(ids), np.float32)
        if len(self.relevant) and len(ids):
            order = np.argsort(self.relevant)
            nearest = np.minimum(np.searchsorted(self.relevant, ids, sorter=order), len(order) - 1)
            found = self.relevant[order[nearest]] == ids
            gains[found] = self.gains[order[nearest[found]]]
        return gains


def name_viewer(request: JudgedRequest, row: int) -> str:
    """Names whose request it is, to resample by viewer; each anonymous request has a name of its own."""
    user = request.request.viewer.user
    return f"viewer {user}" if user else f"request {row}"
