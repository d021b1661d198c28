"""The models of a worker: the one of the serving release, and any other that a request names."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import structlog

from reelrank.index_mappings.errors import NO_MODEL, Degradation, EngineError, explain
from reelrank.ranking.rankers.lambdarank import FusedOrder, Ranker
from reelrank.ranking.rankers.manifest import ModelRejected
from reelrank.ranking.registry.models import ModelVersion, Registry
from reelrank.ranking.registry.releases import Release, ReleaseStore

log = structlog.get_logger("reelrank.models")

RETRY_S = 5.0
"""A rejected model and an unreachable release store are tried again this often."""
MAX_LOADED = 4
"""Loaded models a worker keeps; a request that names another one waits until it is loaded."""


class Models(Protocol):
    """The models to rank by, from the registry (ServedModels) or from a ranking service."""

    def current(self, release: Release | None = None) -> tuple[Ranker, tuple[Degradation, ...]]:
        """Returns the ranker of a release (None: of the serving one), and why it is not the promoted one."""
        ...

    def get(self, model: str) -> Ranker: ...

    def versions(self) -> list[ModelVersion]: ...

    def promote(self, model: str) -> None: ...


@dataclass(frozen=True, slots=True)
class ModelSource:
    """Where a worker's models come from.

    load: a model's directory to its ranker; raises ModelRejected. fetch: brings the model of a release that
    the registry lacks. promote: makes a model serve, together with an index version that it fits.
    """

    registry: Registry
    releases: ReleaseStore
    load: Callable[[Path], Ranker]
    fetch: Callable[[Release], None]
    promote: Callable[[str], object]


class ServedModels:
    """Loads models at first use, so after the fork, and keeps the ones used last."""

    def __init__(self, source: ModelSource) -> None:
        self._source = source
        self._loaded: OrderedDict[str, Ranker] = OrderedDict()
        self._rejected: dict[str, tuple[float, ModelRejected]] = {}
        self._load_lock = threading.Lock()
        self._last_release: Release | None = None
        self._read_again_at = 0.0

    def current(self, release: Release | None = None) -> tuple[Ranker, tuple[Degradation, ...]]:
        """Returns the fused order and the reason if no model is promoted or the promoted one is rejected."""
        try:
            release = release or self._read_serving_release()
        except EngineError as error:
            return FusedOrder(), (Degradation(str(error), error.code),)
        promoted = self._read_model(release)
        if promoted == FusedOrder.name:
            return FusedOrder(), (NO_MODEL,)
        try:
            if release is not None:
                self._source.fetch(release)
            return self.get(promoted), ()
        except ModelRejected as error:
            reason = f"{error.reason}; {error.remedy}"
            return FusedOrder(), (Degradation(f"model {error.model} is refused", error.code, reason),)
        except EngineError as error:
            return FusedOrder(), (Degradation(str(error), error.code),)

    def get(self, model: str) -> Ranker:
        """Returns a model. Raises ModelNotFound, and ModelRejected when it does not fit."""
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

    def versions(self) -> list[ModelVersion]:
        return self._source.registry.versions(self._read_model(self._read_serving_release()))

    def promote(self, model: str) -> None:
        """Makes a model serve in every worker. Raises ModelNotFound and ModelRejected."""
        self._source.promote(model)

    def _read_serving_release(self) -> Release | None:
        """Returns the last release that was read while the store is unreachable: scores need no engine."""
        if self._last_release is not None and time.monotonic() < self._read_again_at:
            return self._last_release
        try:
            pointer = self._source.releases.read_pointer()
        except EngineError as error:
            if self._last_release is None:
                raise
            self._read_again_at = time.monotonic() + RETRY_S
            log.warning("release pointer not read; the last one serves", reason=explain(error))
            return self._last_release
        self._last_release = None if pointer is None else pointer.serving
        return self._last_release

    def _read_model(self, release: Release | None) -> str:
        """Reads the model of a release; before the first release, the one that an earlier build promoted."""
        if release is not None:
            return release.model
        return self._source.registry.read_legacy_pointer("CURRENT") or FusedOrder.name

    def _load_or_reject(self, model: str) -> Ranker:
        try:
            return self._source.load(self._source.registry.find_directory(model))
        except ModelRejected as rejected:
            self._rejected[model] = (time.monotonic(), rejected)
            raise
