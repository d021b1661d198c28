"""A ranker whose model scores in the ranking service."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from urllib.parse import quote, urlencode

import numpy as np
from numpy.typing import NDArray

from reelrank.app.http_client import HttpRequest
from reelrank.app.scoring.ranking_client import RankingService
from reelrank.index_mappings.errors import Unavailable
from reelrank.ranking.rankers.blending import NOT_BLENDED, BlendWeights
from reelrank.ranking.wire.arrow_check import Limits
from reelrank.ranking.wire.feature_rows import MEDIA_TYPE, from_bytes, to_bytes

SCORE, BASE = "score", "base"
CONTRIBUTIONS_TIMEOUT_S = 2.0
"""Contributions cost many times as much as scores, but only explanations of one page request them."""


@dataclass(frozen=True, slots=True)
class RemoteRanker:
    """A model of a ranking service. Its methods raise EngineError without a response in time."""

    name: str
    feature_names: tuple[str, ...]
    service: RankingService
    timeout_s: float
    embeddings_fingerprint: str = ""
    weights: BlendWeights = NOT_BLENDED
    ranks_cold_start: bool = False

    def with_weights(self, weights: BlendWeights) -> "RemoteRanker":
        """Returns the ranker that asks for scores of both models, blended by these weights."""
        return replace(self, weights=weights)

    def score(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        if not len(features):
            return np.zeros(0, np.float32)
        return self._request_rows(features, (SCORE,), self.timeout_s)[:, 0]

    def compute_contributions(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        columns = (*self.feature_names, BASE)
        return self._request_rows(
            features, columns, max(self.timeout_s, CONTRIBUTIONS_TIMEOUT_S), {"contributions": "true"}
        )

    def _request_rows(
        self,
        features: NDArray[np.float32],
        columns: tuple[str, ...],
        timeout_s: float,
        parameters: Mapping[str, str] | None = None,
    ) -> NDArray[np.float32]:
        stated = dict(parameters or {})
        if self.weights.pointwise:
            stated |= {name: repr(value) for name, value in asdict(self.weights).items()}
        path = f"/v1/score/{quote(self.name, safe='')}{'?' if stated else ''}{urlencode(stated)}"
        headers = {"Content-Type": MEDIA_TYPE}
        request = HttpRequest("POST", path, to_bytes(features, self.feature_names), headers)
        try:
            body = self.service.send(request, timeout_s)
            rows = from_bytes(body, columns, Limits(rows=len(features)))
        except ValueError as error:
            raise Unavailable(
                f"the ranking service at {self.service.url} gave no scores: {error}",
                code="ranking_service_failed",
            ) from error
        if len(rows) != len(features):
            raise Unavailable(
                f"the ranking service at {self.service.url} gave {len(rows)} scores for {len(features)}",
                code="ranking_service_failed",
            )
        return rows
