"""The models a worker serves: the promoted one, and any other that a request names."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from reelrank.index_mappings.degradation import Degradation
from reelrank.index_mappings.errors import ModelNotFound, NotFound
from reelrank.ranking.rankers.lambdarank import FusedOrder, Ranker
from reelrank.ranking.rankers.manifest import ModelRejected
from reelrank.ranking.registry.models import ModelVersion, Registry

RETRY_S = 5.0
"""A model that was refused is tried again this often: somebody may have mended it."""
MAX_LOADED = 4
"""Loaded models a worker holds; a request that names another one waits for its load."""


NO_MODEL = Degradation("no model is promoted", "no_model")


class Models(Protocol):
    """The models to rank by, on the own disk (ServedModels) or of a ranking service."""

    def current(self) -> tuple[Ranker, tuple[Degradation, ...]]: ...

    def get(self, model: str) -> Ranker: ...

    def versions(self) -> list[ModelVersion]: ...

    def promote(self, model: str) -> None: ...


class ServedModels:
    """load: a model's directory to its ranker; raises Refused. Loads after the fork, at first use."""

    def __init__(self, registry: Registry, load: Callable[[Path], Ranker]) -> None:
        self.registry = registry
        self._load = load
        self._loaded: OrderedDict[str, Ranker] = OrderedDict()
        self._rejected: dict[str, tuple[float, ModelRejected]] = {}
        self._load_lock = threading.Lock()

    def current(self) -> tuple[Ranker, tuple[Degradation, ...]]:
        """The promoted model; engine order and the reason when there is none or it does not fit."""
        promoted = self.registry.current()
        if promoted is None:
            return FusedOrder(), (NO_MODEL,)
        try:
            return self.get(promoted), ()
        except ModelRejected as error:
            reason = f"{error.reason}; {error.remedy}"
            return FusedOrder(), (Degradation(f"model {error.model} is refused", error.code, reason),)
        except NotFound as error:
            return FusedOrder(), (Degradation(str(error), error.code),)

    def get(self, model: str) -> Ranker:
        """Raises NotFound when there is no such model and Refused when it does not fit."""
        if model == FusedOrder.name:
            return FusedOrder()
        if model in self._rejected and time.monotonic() - self._rejected[model][0] < RETRY_S:
            raise self._rejected[model][1]
        with self._load_lock:
            if model not in self._loaded:
                self._loaded[model] = self._load_or_reject(model)
            self._loaded.move_to_end(model)
            while len(self._loaded) > MAX_LOADED:
                self._loaded.popitem(last=False)
            return self._loaded[model]

    def _load_or_reject(self, model: str) -> Ranker:
        try:
            return self._load(self._find_directory(model))
        except ModelRejected as refused:
            self._rejected[model] = (time.monotonic(), refused)
            raise

    def versions(self) -> list[ModelVersion]:
        return self.registry.versions()

    def promote(self, model: str) -> None:
        """Makes a model the one that serves, in every worker. Raises NotFound and Refused."""
        if model != FusedOrder.name:
            self._find_directory(model)
        self.registry.promote(model, self._load)

    def _find_directory(self, model: str) -> Path:
        try:
            return self.registry.directory_of(model)
        except ModelRejected as refused:
            raise ModelNotFound(f"{refused.reason}; GET /v1/models lists them") from refused
