"""The models a worker serves: the promoted one, and any other that a request names."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from index_mappings.errors import NotFound
from ranking.manifest import Refused
from ranking.ranker import EngineOrder, Ranker
from ranking.registry import ModelVersion, Registry

RETRY_S = 5.0
"""A model that was refused is tried again this often: somebody may have mended it."""
KEPT = 4
"""Loaded models a worker holds; a request that names another one waits for its load."""


NO_MODEL = "no model is promoted"


class Models(Protocol):
    """The models to rank by, on the own disk (ServedModels) or of a ranking service."""

    def current(self) -> tuple[Ranker, tuple[str, ...]]: ...

    def named(self, model: str) -> Ranker: ...

    def versions(self) -> list[ModelVersion]: ...

    def promote(self, model: str) -> None: ...


class ServedModels:
    """load: a model's directory to its ranker; raises Refused. Loads after the fork, at first use."""

    def __init__(self, registry: Registry, load: Callable[[Path], Ranker]) -> None:
        self.registry = registry
        self._load = load
        self._loaded: OrderedDict[str, Ranker] = OrderedDict()
        self._refused: dict[str, tuple[float, Refused]] = {}
        self._loading = threading.Lock()

    def current(self) -> tuple[Ranker, tuple[str, ...]]:
        """The promoted model; engine order and the reason when there is none or it does not fit."""
        promoted = self.registry.current()
        if promoted is None:
            return EngineOrder(), (NO_MODEL,)
        try:
            return self.named(promoted), ()
        except (Refused, NotFound) as error:
            return EngineOrder(), (str(error),)

    def named(self, model: str) -> Ranker:
        """Raises NotFound when there is no such model and Refused when it does not fit."""
        if model == EngineOrder.name:
            return EngineOrder()
        if model in self._refused and time.monotonic() - self._refused[model][0] < RETRY_S:
            raise self._refused[model][1]
        with self._loading:
            if model not in self._loaded:
                self._loaded[model] = self._loaded_or_refused(model)
            self._loaded.move_to_end(model)
            while len(self._loaded) > KEPT:
                self._loaded.popitem(last=False)
            return self._loaded[model]

    def _loaded_or_refused(self, model: str) -> Ranker:
        try:
            return self._load(self._directory(model))
        except Refused as refused:
            self._refused[model] = (time.monotonic(), refused)
            raise

    def versions(self) -> list[ModelVersion]:
        return self.registry.versions()

    def promote(self, model: str) -> None:
        """Makes a model the one that serves, in every worker. Raises NotFound and Refused."""
        if model != EngineOrder.name:
            self._directory(model)
        self.registry.promote(model, self._load)

    def _directory(self, model: str) -> Path:
        try:
            return self.registry.directory_of(model)
        except Refused as refused:
            raise NotFound(f"{refused.reason}; GET /v1/models lists them") from refused
