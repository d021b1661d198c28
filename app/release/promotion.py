"""Promotion and rollback: index version and model change together, in one write of the release pointer.

Write order: (1) check the model and prepare the index version, (2) store the release record, (3) replace the
pointer: this is the commit, (4) let the engine serve the version that the pointer names. A process killed
between 3 and 4 leaves an engine that is one version behind the pointer; `settle` does step 4 again.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from reelrank.app.release.distribution import ModelFiles
from reelrank.app.release.lock import acquire_job_lock
from reelrank.app.release.settlement import Settlement, carry_over
from reelrank.index_mappings.engine import SearchEngine, WriteBlock
from reelrank.index_mappings.errors import Conflict, EngineError, NotFound
from reelrank.ranking.rankers.lambdarank import FusedOrder
from reelrank.ranking.rankers.manifest import ModelRejected
from reelrank.ranking.registry.models import Registry
from reelrank.ranking.registry.releases import Pointer, Release, ReleaseStore, find_release

PROMOTION_WAIT_S = 60.0
"""How long a promotion waits for another one; a large version takes a minute to be prepared."""


def ignore_step(step: str) -> None:
    """Ignores the steps of a promotion."""


@dataclass(frozen=True, slots=True)
class ReleaseManager:
    """Moves index version and model together, across engine, registry and release store.

    read_embeddings: the fingerprint in the item table of an index version. config: the ranking settings
    that a new release records. on_step: called before each step of a promotion.
    """

    engine: SearchEngine
    registry: Registry
    store: ReleaseStore
    files: ModelFiles
    read_embeddings: Callable[[str], str]
    config: dict[str, float]
    lock_path: Path
    now: Callable[[], datetime]
    on_step: Callable[[str], None] = ignore_step

    def read_serving_embeddings(self) -> str:
        """Returns the fingerprint of the embeddings that serve, which a plain load carries over."""
        pointer = self.settle()
        return "" if pointer is None else pointer.serving.embeddings

    def settle(self) -> Pointer | None:
        """Makes pointer and engine agree, and returns the pointer; None before the first load.

        Raises Conflict when another promotion holds the lock.
        """
        if (settled := self._settlement.read_settled()) is not None:
            return settled
        with self._lock():
            return self._settlement.settle()

    def promote_release(self, release_id: str) -> Release:
        """Raises NotFound, ModelRejected, and Conflict when another promotion was first."""
        with self._lock():
            pointer = self._settle_or_begin()
            return self._serve(find_release(self.list_releases(), release_id), pointer)

    def promote_model(self, model: str) -> Release:
        """Serves a model: with the serving index version if it fits, else as its newest release has it."""
        with self._lock():
            pointer = self._settle_or_begin()
            self._fetch_known(model)
            self._require_model(model)
            return self._serve(self._choose_release(pointer, model), pointer)

    def promote_version(self, version: str, reason: str) -> Release:
        """Serves an index version: as its newest release has it, else with the serving model.

        A version without a release is newly loaded, so it carries over what the serving version learned.
        """
        with self._lock():
            pointer = self._settle_or_begin()
            known = [release for release in self.list_releases() if release.index_version == version]
            if known:
                return self._serve(known[0], pointer)
            embeddings = self.read_embeddings(version)
            model = self._settlement.choose_model(pointer, embeddings)
            release = self._create(version, model, embeddings, reason)
            return self._serve(carry_over(release, pointer), pointer)

    def publish(self, version: str, model: str, embeddings: str, reason: str) -> Release:
        """Serves what a training run made, as one release."""
        with self._lock():
            pointer = self._settle_or_begin()
            return self._serve(self._create(version, model, embeddings, reason), pointer)

    def rollback(self) -> Release:
        """Serves the previous release; rolling back twice returns to the first one. Raises NotFound."""
        with self._lock():
            pointer = self._settlement.settle()
            if pointer is None or pointer.previous is None or not pointer.can_serve(pointer.previous):
                raise NotFound(
                    "nothing served before; promote a release: reelrank releases list",
                    code="no_previous_release",
                )
            return self._serve(pointer.previous, pointer)

    def end_write_block(self, block: WriteBlock) -> None:
        """Ends a block that an interrupted promotion left. Raises Conflict when a promotion has the lock."""
        with self._lock():
            if self.engine.find_write_block() == block:
                self.engine.promote(block.version)

    def fits(self, release: Release) -> bool:
        """Returns whether the model of a release may rank over its index version."""
        return self._settlement.fits(release.model, release.embeddings)

    def drop_version(self, version: str) -> None:
        """Drops an index version and the releases that need it. Raises NotFound, and Conflict for a version
        that the serving or the previous release names."""
        with self._lock():
            pointer = self._settlement.settle()
            if pointer is not None and version in pointer.list_versions():
                which = next(use for use, named in pointer.list_uses() if named.index_version == version)
                raise Conflict(
                    f"index version {version} belongs to the {which} release; "
                    "promote others first: reelrank releases promote ID",
                    code="index_version_in_release",
                )
            self.engine.drop(version)
            self.forget_dropped_versions()

    def list_releases(self) -> list[Release]:
        """Returns the releases that can be promoted, newest first, and those of the pointer."""
        pointer, listed = self.store.read_pointer(), self.store.list_releases()
        if pointer is None:
            return listed
        known = {release.id for release in listed}
        listed += [r for r in (pointer.serving, pointer.previous) if r is not None and r.id not in known]
        return [release for release in listed if pointer.can_serve(release)]

    def list_kept_versions(self) -> frozenset[str]:
        """Returns the index versions that the pointer names; they are never dropped."""
        pointer = self.store.read_pointer()
        return frozenset() if pointer is None else pointer.list_versions()

    def forget_dropped_versions(self) -> None:
        """Removes the records of releases whose index version was dropped."""
        existing = {version.name for version in self.engine.versions()} | self.list_kept_versions()
        for release in self.store.list_releases():
            if release.index_version and release.index_version not in existing:
                self.store.remove(release.id)

    @property
    def _settlement(self) -> Settlement:
        return Settlement(self.engine, self.registry, self.store, self.read_embeddings, self.now)

    def _settle_or_begin(self) -> Pointer:
        return self._settlement.settle() or self._settlement.begin()

    def _choose_release(self, pointer: Pointer, model: str) -> Release:
        serving = pointer.serving
        if not serving.index_version or self._settlement.fits(model, serving.embeddings):
            release = self._create(serving.index_version, model, serving.embeddings, f"promote {model}")
            return carry_over(release, pointer)
        existing = {version.name for version in self.engine.versions()}
        found = [r for r in self.list_releases() if r.model == model and r.index_version in existing]
        if not found:
            raise ModelRejected(
                model,
                f"it was trained with other embeddings than index version {serving.index_version} has, and "
                "no kept release has both",
                "run: reelrank train, or choose one of: reelrank releases list",
                code="embeddings_mismatch",
            )
        return found[0]

    def _create(self, version: str, model: str, embeddings: str, reason: str) -> Release:
        release = self._settlement.create(version, model, embeddings, reason)
        return release.model_copy(update={"config": self.config})

    def _serve(self, release: Release, pointer: Pointer) -> Release:
        """Runs the whole promotion; promoting what serves only repeats its last step."""
        version = release.index_version
        self.on_step("check")
        self._check(release)
        if release.serves_same_as(pointer.serving):
            self._settlement.follow(version)
            return pointer.serving
        if version:
            self.on_step("prepare")
            self.engine.make_ready(version)
        self.on_step("record")
        shared = self._share(release)
        self.store.add(shared)
        moved = pointer.move_to(shared, self._share(pointer.serving))
        if moved.previous is not None and not moved.can_serve(moved.previous):
            moved = moved.model_copy(update={"previous": None})
        self.on_step("point")
        self.store.replace_pointer(moved, pointer)
        self.on_step("follow")
        try:
            self._settlement.follow(version)
        except BaseException:
            self._undo(moved, pointer)
            raise
        self.on_step("done")
        return release

    def _check(self, release: Release) -> None:
        self.files.fetch(release)
        self.registry.check(release.model, self.files.load)
        if not self._settlement.fits(release.model, release.embeddings) and release.index_version:
            raise ModelRejected(
                release.model,
                "it was trained with other embeddings than its index version",
                "retrain",
                code="embeddings_mismatch",
            )

    def _share(self, release: Release) -> Release:
        """Uploads the files of a release's model; returns the release with their hashes."""
        if not (self.registry.directory / release.model).is_dir():
            return release
        return release.model_copy(update={"files": self.files.upload(release.model)})

    def _fetch_known(self, model: str) -> None:
        """Brings a model that any release names; another one must be in the registry already."""
        for release in self.list_releases():
            if release.model == model:
                self.files.fetch(release)
                return

    def _require_model(self, model: str) -> None:
        if model != FusedOrder.name:
            self.registry.find_directory(model)

    def _undo(self, moved: Pointer, before: Pointer) -> None:
        """Points back if the engine still serves what it did; if it cannot be asked, `settle` repairs it."""
        try:
            if self.engine.serving_version() != moved.serving.index_version:
                self.store.replace_pointer(moved.move_to(before.serving, before.previous), moved)
        except EngineError:
            return

    def _lock(self) -> AbstractContextManager[None]:
        return acquire_job_lock(self.lock_path, PROMOTION_WAIT_S, "another promotion")
