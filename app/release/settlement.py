"""Makes the release pointer and the engine agree after a crash, an upgrade or a promotion elsewhere."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from reelrank.index_mappings.engine import SearchEngine
from reelrank.index_mappings.errors import Conflict, NotFound
from reelrank.ranking.policies.config import LEARNED_VALUES
from reelrank.ranking.rankers.lambdarank import FusedOrder
from reelrank.ranking.rankers.manifest import read_manifest
from reelrank.ranking.registry.models import Registry
from reelrank.ranking.registry.releases import Pointer, Release, ReleaseStore, create_release

UPGRADED = "an index version that already served"
ADOPTED = "promoted without a release"


@dataclass(frozen=True, slots=True)
class Settlement:
    """Brings release pointer and engine into agreement.

    read_embeddings: the fingerprint in the item table of an index version; empty when it has none.
    """

    engine: SearchEngine
    registry: Registry
    store: ReleaseStore
    read_embeddings: Callable[[str], str]
    now: Callable[[], datetime]

    def read_settled(self) -> Pointer | None:
        """Returns the pointer when it names the version that the engine serves, else None."""
        pointer = self.store.read_pointer()
        if pointer is None or (pointer.serving.index_version or None) != self.engine.serving_version():
            return None
        return pointer

    def settle(self) -> Pointer | None:
        """Returns a pointer that agrees with the engine; None while nothing was ever loaded or promoted.

        The engine follows the pointer when it still serves the previous release: a promotion was stopped.
        Otherwise the pointer follows the engine: an earlier build promoted there.
        """
        pointer, version = self.store.read_pointer(), self.engine.serving_version()
        if pointer is None:
            nothing = version is None and self.registry.read_legacy_pointer("CURRENT") is None
            return None if nothing else self.begin()
        target = pointer.serving.index_version
        if version == (target or None):
            return pointer
        previous = pointer.previous.index_version if pointer.previous else ""
        if target and version in (None, previous) and self._complete(target):
            return pointer
        return self._adopt(pointer, version or "")

    def begin(self) -> Pointer:
        """Writes the first pointer: the serving version, with the models that an earlier build promoted."""
        version = self.engine.serving_version() or ""
        embeddings = self.read_embeddings(version) if version else ""
        current = self.registry.read_legacy_pointer("CURRENT") or FusedOrder.name
        before = self.registry.read_legacy_pointer("PREVIOUS")
        pointer = Pointer(counter=1, serving=self.create(version, current, embeddings, UPGRADED))
        if before is not None and before != current:
            previous = self.create(version, before, embeddings, UPGRADED)
            pointer = pointer.model_copy(update={"previous": previous})
            self.store.add(previous)
        self.store.add(pointer.serving)
        self.store.replace_pointer(pointer, None)
        return pointer

    def follow(self, version: str) -> None:
        """Lets the engine serve a version. Another process may have done it at the same time."""
        if not version:
            return
        try:
            self.engine.promote(version)
        except Conflict:
            if self.engine.serving_version() != version:
                raise

    def create(self, version: str, model: str, embeddings: str, reason: str) -> Release:
        """Creates a release that states the present time."""
        fields = {"index_version": version, "model": model, "embeddings": embeddings, "reason": reason}
        return create_release(self.now(), **fields)

    def choose_model(self, pointer: Pointer, embeddings: str) -> str:
        """Returns the serving model, or the newest one of a release, that fits; else the fused order."""
        if self.fits(pointer.serving.model, embeddings):
            return pointer.serving.model
        trained = (r.model for r in self.store.list_releases() if r.embeddings == embeddings)
        return next((model for model in trained if self.fits(model, embeddings)), FusedOrder.name)

    def fits(self, model: str, embeddings: str) -> bool:
        """Returns whether a model may rank over these embeddings; a model that names none fits any."""
        fingerprint = read_embeddings_fingerprint(self.registry, model)
        return not fingerprint or fingerprint == embeddings

    def _complete(self, version: str) -> bool:
        """Does the last step of a promotion that was stopped; False when its version was dropped."""
        try:
            self.follow(version)
        except NotFound:
            return False
        return True

    def _adopt(self, pointer: Pointer, version: str) -> Pointer:
        """Points at what the engine serves: the newest release of that version, or a new one."""
        newest = next((r for r in self.store.list_releases() if r.index_version == version), None)
        release = newest or self._create_adopted(pointer, version)
        self.store.add(release)
        moved = pointer.move_to(release, pointer.serving)
        self.store.replace_pointer(moved, pointer)
        return moved

    def _create_adopted(self, pointer: Pointer, version: str) -> Release:
        embeddings = self.read_embeddings(version) if version else ""
        model = self.choose_model(pointer, embeddings)
        files = pointer.serving.files if model == pointer.serving.model else {}
        return self.create(version, model, embeddings, ADOPTED).model_copy(update={"files": files})


def read_embeddings_fingerprint(registry: Registry, model: str) -> str:
    """Returns the embeddings a model was trained with; empty if its manifest names none or is unreadable."""
    if model == FusedOrder.name:
        return ""
    try:
        return read_manifest(registry.directory / model).embeddings_fingerprint
    except (OSError, ValueError):
        return ""


def carry_over(release: Release, pointer: Pointer) -> Release:
    """Returns a release with the settings that the last training run chose, until the next one."""
    learned = {name: value for name, value in pointer.serving.config.items() if name in LEARNED_VALUES}
    return release.model_copy(update={"config": {**release.config, **learned}})
