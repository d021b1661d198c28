"""Releases that do not serve yet: stored beside the serving one, tried on traffic, and taken away."""

from contextlib import suppress

from reelrank.app.release.lock import acquire_job_lock
from reelrank.app.release.promotion import PROMOTION_WAIT_S, ReleaseManager
from reelrank.index_mappings.errors import NotFound
from reelrank.ranking.registry.releases import Canary, Pointer, Release, find_release


def stage_release(manager: ReleaseManager, release: Release) -> Release:
    """Stores a release that does not serve, with the hashes of its model's files. Raises ModelRejected."""
    with acquire_job_lock(manager.lock_path, PROMOTION_WAIT_S, "another promotion"):
        manager.files.fetch(release)
        manager.registry.check(release.model, manager.files.load)
        shared = release.model_copy(
            update={"files": manager.files.upload(release.model), "config": manager.config}
        )
        manager.store.add(shared)
        return shared


def read_staged(manager: ReleaseManager, release_id: str) -> Release:
    """Returns a stored release whose index version still exists. Raises NotFound."""
    release = find_release(manager.store.list_releases(), release_id)
    if release.index_version not in {version.name for version in manager.engine.versions()}:
        raise NotFound(
            f"index version {release.index_version} of release {release_id} was dropped; the next run of the "
            "loop builds another one",
            code="release_not_found",
        )
    return release


def discard_release(manager: ReleaseManager, release_id: str) -> None:
    """Removes a release that never served, and its index version unless another one needs it.

    It may be gone already. One that serves, or that served before, stays.
    """
    pointer = manager.store.read_pointer()
    if pointer is not None and release_id in _list_tried(pointer):
        start_trial(manager, None, None)
    if pointer is not None and release_id in _list_served(pointer):
        return
    with suppress(NotFound):
        release = find_release(manager.store.list_releases(), release_id)
        existing = {version.name for version in manager.engine.versions()}
        if release.index_version in existing - manager.list_kept_versions():
            manager.drop_version(release.index_version)
        manager.store.remove(release_id)


def start_trial(manager: ReleaseManager, canary: Canary | None, shadow: Release | None) -> None:
    """Makes workers try a release, in place of what they tried; None and None: nothing.

    Raises NotFound when an index version was dropped meanwhile, and Conflict when a promotion was first.
    """
    with acquire_job_lock(manager.lock_path, PROMOTION_WAIT_S, "another promotion"):
        pointer = manager.store.read_pointer()
        if pointer is None:
            raise NotFound("nothing serves yet; run: reelrank train", code="release_not_found")
        tried = pointer.try_out(canary, shadow)
        missing = tried.list_versions() - {version.name for version in manager.engine.versions()}
        if (canary or shadow) and missing:
            raise NotFound(f"index version {min(missing)} was dropped", code="release_not_found")
        if (pointer.canary, pointer.shadow) != (canary, shadow):
            manager.store.replace_pointer(tried, pointer)


def _list_tried(pointer: Pointer) -> list[str]:
    tried = [pointer.canary.release] if pointer.canary is not None else []
    return [release.id for release in (*tried, pointer.shadow) if release is not None]


def _list_served(pointer: Pointer) -> list[str]:
    return [release.id for release in (pointer.serving, pointer.previous) if release is not None]
