"""A model that the ranking service scores with: a sibling of LambdaRank and engine order."""

from dataclasses import dataclass
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from reelrank.app.http_client import HttpRequest
from reelrank.app.scoring.ranking_client import RankingService
from reelrank.index_mappings.errors import Unavailable
from reelrank.ranking.wire.arrow_check import Limits
from reelrank.ranking.wire.feature_rows import MEDIA_TYPE, from_bytes, to_bytes

SCORE, BASE = "score", "base"
CONTRIBUTIONS_TIMEOUT_S = 2.0
"""Contributions cost many times a score, are asked for by people, and for one page's hits alone."""


@dataclass(frozen=True, slots=True)
class RemoteRanker:
    """score and contributions raise EngineError when the service does not answer within the time."""

    name: str
    feature_names: tuple[str, ...]
    service: RankingService
    timeout_s: float

    def score(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        if not len(features):
            return np.zeros(0, np.float32)
        return self._request_rows(features, (SCORE,), self.timeout_s)[:, 0]

    def compute_contributions(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        columns = (*self.feature_names, BASE)
        return self._request_rows(
            features, columns, max(self.timeout_s, CONTRIBUTIONS_TIMEOUT_S), "?contributions=true"
        )

    def _request_rows(
        self,
        features: NDArray[np.float32],
        columns: tuple[str, ...],
        timeout_s: float,
        query_string: str = "",
    ) -> NDArray[np.float32]:
        path = f"/v1/score/{quote(self.name, safe='')}{query_string}"
        body = to_bytes(features, self.feature_names)
        request = HttpRequest("POST", path, body, {"Content-Type": MEDIA_TYPE})
        try:
            answer = self.service.send(request, timeout_s)
            rows = from_bytes(answer, columns, Limits(rows=len(features)))
        except ValueError as error:
            raise Unavailable(f"the ranking service at {self.service.url} gave no scores: {error}") from error
        if len(rows) != len(features):
            raise Unavailable(
                f"the ranking service at {self.service.url} gave {len(rows)} scores for {len(features)}"
            )
        return rows
