"""The models of a ranking service: what ServedModels is where models are on the own disk."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

import orjson
from pydantic import BaseModel, TypeAdapter, ValidationError

from app.remote.ranking_service import Asked, RankingService
from app.remote.remote_ranker import RemoteRanker
from index_mappings.errors import Conflict, EngineError, Unavailable
from ranking.ranker import EngineOrder, Ranker
from ranking.registry import ModelVersion

LOOK_S = 1.0
"""A look at what serves is off the request path, so it may wait longer than a score."""
SETTLE_S = 2.0
"""A newly promoted model is asked for only after that long: by then every ranking worker has loaded it."""
CHANGE_S = 30.0
KEPT = 64


class Facts(BaseModel):
    """What `GET /v1/score/{model}` answers: what must be known to ask for scores."""

    model: str
    feature_names: tuple[str, ...]
    feature_fingerprint: str
    degraded: tuple[str, ...] = ()


@dataclass(slots=True)
class RemoteModels:
    """fingerprint_of: this build's fingerprint of some features; a service that computes them otherwise
    is not asked for scores. timeout_s: for the scores of one request."""

    service: RankingService
    timeout_s: float
    fingerprint_of: Callable[[Sequence[str]], str]
    _known: OrderedDict[str, Ranker] = field(default_factory=OrderedDict)
    _serving: Ranker | None = None
    _coming: tuple[str, float] = ("", 0.0)
    _changing: threading.Lock = field(default_factory=threading.Lock)

    def current(self) -> tuple[Ranker, tuple[str, ...]]:
        """What the service has promoted; engine order and the reason when it cannot be asked."""
        try:
            facts = self._facts("current")
            return self._settled(self._ranker(facts)), facts.degraded
        except EngineError as error:
            self._serving = None
            return EngineOrder(), (f"ranking: {error}",)

    def named(self, model: str) -> Ranker:
        """Raises NotFound and Conflict as the service says, Unavailable and Timeout when it does not."""
        if model == EngineOrder.name:
            return EngineOrder()
        known = self._known.get(model)
        return known if known is not None else self._ranker(self._facts(model))

    def versions(self) -> list[ModelVersion]:
        answer = orjson.loads(self.service.ask(Asked("GET", "/v1/models"), LOOK_S))
        return TypeAdapter(list[ModelVersion]).validate_python(answer["models"])

    def promote(self, model: str) -> None:
        """Asks the service to. Raises NotFound, and Conflict for a model that it refuses."""
        path = f"/v1/models/{quote(model, safe='')}:promote"
        self.service.ask(Asked("POST", path, b"{}"), CHANGE_S)

    def _facts(self, model: str) -> Facts:
        body = self.service.ask(Asked("GET", f"/v1/score/{quote(model, safe='')}"), LOOK_S)
        try:
            return Facts.model_validate_json(body)
        except ValidationError as error:
            raise Unavailable(f"{self.service.url} is no ranking service of this kind ({error})") from error

    def _ranker(self, facts: Facts) -> Ranker:
        if facts.model == EngineOrder.name:
            return EngineOrder()
        try:
            here = self.fingerprint_of(facts.feature_names)
        except KeyError as unknown:
            here = f"without {unknown}"
        if facts.feature_fingerprint != here:
            raise Conflict(
                f"the ranking service at {self.service.url} computes features as "
                f"{facts.feature_fingerprint}, this build as {here}; run the same build in both roles"
            )
        with self._changing:
            if facts.model not in self._known:
                ranker = RemoteRanker(facts.model, facts.feature_names, self.service, self.timeout_s)
                self._known[facts.model] = ranker
            if len(self._known) > KEPT:
                self._known.popitem(last=False)
            return self._known[facts.model]

    def _settled(self, promoted: Ranker) -> Ranker:
        now = time.monotonic()
        if self._serving is None or self._serving.name == promoted.name:
            self._serving, self._coming = promoted, ("", now)
        elif self._coming[0] != promoted.name:
            self._coming = (promoted.name, now)
        elif now - self._coming[1] >= SETTLE_S:
            self._serving = promoted
        return self._serving
