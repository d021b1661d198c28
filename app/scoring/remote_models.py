"""Models of a ranking service, as ServedModels provides those of the own disk."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

import orjson
from pydantic import BaseModel, TypeAdapter, ValidationError

from reelrank.app.http_client import HttpRequest
from reelrank.app.scoring.ranking_client import RankingService
from reelrank.app.scoring.remote_ranker import RemoteRanker
from reelrank.index_mappings.errors import Conflict, Degradation, EngineError, Unavailable, describe_failure
from reelrank.ranking.rankers.lambdarank import FusedOrder, Ranker
from reelrank.ranking.registry.models import ModelVersion
from reelrank.ranking.registry.releases import Release

LOOKUP_TIMEOUT_S = 1.0
"""Lookups run in the background, so they may wait longer than a request for scores."""
PROPAGATION_S = 2.0
"""A promoted model is used only after this time: by then every ranking worker has loaded it."""
PROMOTE_TIMEOUT_S = 30.0
MAX_RANKERS = 64


class ModelInfo(BaseModel):
    """The response of `GET /v1/score/{model}`: what a request for scores needs."""

    model: str
    feature_names: tuple[str, ...]
    feature_fingerprint: str
    embeddings_fingerprint: str = ""
    ranks_cold_start: bool = False
    degradations: tuple[Degradation, ...] = ()


@dataclass(slots=True)
class RemoteModels:
    """Models of `service`. timeout_s: for the scores of one request.

    compute_fingerprint: returns this build's fingerprint of features. A service with another fingerprint
    computes the features differently, so its models are rejected.
    """

    service: RankingService
    timeout_s: float
    compute_fingerprint: Callable[[Sequence[str]], str]
    _rankers: OrderedDict[str, Ranker] = field(default_factory=OrderedDict)
    _serving: Ranker | None = None
    _pending: tuple[str, float] = ("", 0.0)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def current(self, release: Release | None = None) -> tuple[Ranker, tuple[Degradation, ...]]:
        """Returns the promoted model, or engine order and the reason when the service fails."""
        try:
            info = self._fetch_model_info("current")
            return self._choose_serving(self._get_ranker(info)), info.degradations
        except EngineError as error:
            self._serving = None
            return FusedOrder(), (describe_failure("ranking", error),)

    def get(self, model: str) -> Ranker:
        """Returns a model. Raises the error of the service, or Unavailable or Timeout without a response."""
        if model == FusedOrder.name:
            return FusedOrder()
        known = self._rankers.get(model)
        return known if known is not None else self._get_ranker(self._fetch_model_info(model))

    def versions(self) -> list[ModelVersion]:
        """Returns the models of the service, newest first."""
        content = orjson.loads(self.service.send(HttpRequest("GET", "/v1/models"), LOOKUP_TIMEOUT_S))
        return TypeAdapter(list[ModelVersion]).validate_python(content["models"])

    def promote(self, model: str) -> None:
        """Asks the service to promote a model. Raises NotFound, or Conflict for a model that it rejects."""
        path = f"/v1/models/{quote(model, safe='')}:promote"
        self.service.send(
            HttpRequest("POST", path, b"{}", {"Content-Type": "application/json"}), PROMOTE_TIMEOUT_S
        )

    def _fetch_model_info(self, model: str) -> ModelInfo:
        body = self.service.send(HttpRequest("GET", f"/v1/score/{quote(model, safe='')}"), LOOKUP_TIMEOUT_S)
        try:
            return ModelInfo.model_validate_json(body)
        except ValidationError as error:
            raise Unavailable(
                f"{self.service.url} is not a ranking service of this version ({error})",
                code="ranking_service_failed",
            ) from error

    def _get_ranker(self, info: ModelInfo) -> Ranker:
        if info.model == FusedOrder.name:
            return FusedOrder()
        try:
            own_fingerprint = self.compute_fingerprint(info.feature_names)
        except KeyError as unknown:
            own_fingerprint = f"without {unknown}"
        if info.feature_fingerprint != own_fingerprint:
            raise Conflict(
                f"the ranking service at {self.service.url} computes features as {info.feature_fingerprint}, "
                f"this build as {own_fingerprint}; run the same build in both roles",
                code="builds_differ",
            )
        with self._lock:
            if info.model not in self._rankers:
                ranker = RemoteRanker(
                    info.model,
                    info.feature_names,
                    self.service,
                    self.timeout_s,
                    info.embeddings_fingerprint,
                    ranks_cold_start=info.ranks_cold_start,
                )
                self._rankers[info.model] = ranker
            if len(self._rankers) > MAX_RANKERS:
                self._rankers.popitem(last=False)
            return self._rankers[info.model]

    def _choose_serving(self, promoted: Ranker) -> Ranker:
        """Returns the model before until `promoted` has been promoted for PROPAGATION_S."""
        now = time.monotonic()
        if self._serving is None or self._serving.name == promoted.name:
            self._serving, self._pending = promoted, ("", now)
        elif self._pending[0] != promoted.name:
            self._pending = (promoted.name, now)
        elif now - self._pending[1] >= PROPAGATION_S:
            self._serving = promoted
        return self._serving
