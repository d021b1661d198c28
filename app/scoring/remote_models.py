"""The models of a ranking service: what ServedModels is where models are on the own disk."""

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
from reelrank.index_mappings.degradation import Degradation, describe_failure
from reelrank.index_mappings.errors import Conflict, EngineError, Unavailable
from reelrank.ranking.rankers.lambdarank import FusedOrder, Ranker
from reelrank.ranking.registry.models import ModelVersion

LOOKUP_TIMEOUT_S = 1.0
"""A look at what serves is off the request path, so it may wait longer than a score."""
PROPAGATION_S = 2.0
"""A newly promoted model is asked for only after that long: by then every ranking worker has loaded it."""
PROMOTE_TIMEOUT_S = 30.0
MAX_RANKERS = 64


class ModelInfo(BaseModel):
    """What `GET /v1/score/{model}` answers: what must be known to ask for scores."""

    model: str
    feature_names: tuple[str, ...]
    feature_fingerprint: str
    degradations: tuple[Degradation, ...] = ()


@dataclass(slots=True)
class RemoteModels:
    """fingerprint_of: this build's fingerprint of some features; a service that computes them otherwise
    is not asked for scores. timeout_s: for the scores of one request."""

    service: RankingService
    timeout_s: float
    compute_fingerprint: Callable[[Sequence[str]], str]
    _rankers: OrderedDict[str, Ranker] = field(default_factory=OrderedDict)
    _serving: Ranker | None = None
    _pending: tuple[str, float] = ("", 0.0)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def current(self) -> tuple[Ranker, tuple[Degradation, ...]]:
        """What the service has promoted; engine order and the reason when it cannot be asked."""
        try:
            facts = self._fetch_model_info("current")
            return self._choose_serving(self._get_ranker(facts)), facts.degradations
        except EngineError as error:
            self._serving = None
            return FusedOrder(), (describe_failure("ranking", error),)

    def get(self, model: str) -> Ranker:
        """Raises NotFound and Conflict as the service says, Unavailable and Timeout when it does not."""
        if model == FusedOrder.name:
            return FusedOrder()
        known = self._rankers.get(model)
        return known if known is not None else self._get_ranker(self._fetch_model_info(model))

    def versions(self) -> list[ModelVersion]:
        answer = orjson.loads(self.service.send(HttpRequest("GET", "/v1/models"), LOOKUP_TIMEOUT_S))
        return TypeAdapter(list[ModelVersion]).validate_python(answer["models"])

    def promote(self, model: str) -> None:
        """Asks the service to. Raises NotFound, and Conflict for a model that it refuses."""
        path = f"/v1/models/{quote(model, safe='')}:promote"
        self.service.send(
            HttpRequest("POST", path, b"{}", {"Content-Type": "application/json"}), PROMOTE_TIMEOUT_S
        )

    def _fetch_model_info(self, model: str) -> ModelInfo:
        body = self.service.send(HttpRequest("GET", f"/v1/score/{quote(model, safe='')}"), LOOKUP_TIMEOUT_S)
        try:
            return ModelInfo.model_validate_json(body)
        except ValidationError as error:
            raise Unavailable(f"{self.service.url} is no ranking service of this kind ({error})") from error

    def _get_ranker(self, info: ModelInfo) -> Ranker:
        if info.model == FusedOrder.name:
            return FusedOrder()
        try:
            here = self.compute_fingerprint(info.feature_names)
        except KeyError as unknown:
            here = f"without {unknown}"
        if info.feature_fingerprint != here:
            raise Conflict(
                f"the ranking service at {self.service.url} computes features as "
                f"{info.feature_fingerprint}, this build as {here}; run the same build in both roles"
            )
        with self._lock:
            if info.model not in self._rankers:
                ranker = RemoteRanker(info.model, info.feature_names, self.service, self.timeout_s)
                self._rankers[info.model] = ranker
            if len(self._rankers) > MAX_RANKERS:
                self._rankers.popitem(last=False)
            return self._rankers[info.model]

    def _choose_serving(self, promoted: Ranker) -> Ranker:
        now = time.monotonic()
        if self._serving is None or self._serving.name == promoted.name:
            self._serving, self._pending = promoted, ("", now)
        elif self._pending[0] != promoted.name:
            self._pending = (promoted.name, now)
        elif now - self._pending[1] >= PROPAGATION_S:
            self._serving = promoted
        return self._serving
