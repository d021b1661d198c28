"""Releases that do not serve yet: stored beside the serving one, tried on traffic, and taken away."""

from contextlib import suppress

from reelrank.app.release.lock import acquire_job_lock
from reelrank.app.release.promotion import PROMOTION_WAIT_S, ReleaseManager
from reelrank.index_mappings.errors import NotFound
from reelrank.ranking.registry.releases import Release, find_release


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
    """Drops the index version of a release that never served, and its record. It may be gone already."""
    with suppress(NotFound):
        release = find_release(manager.store.list_releases(), release_id)
        named = manager.list_kept_versions()
        if release.index_version in named:
            return
        if release.index_version in {version.name for version in manager.engine.versions()}:
            manager.drop_version(release.index_version)
        manager.store.remove(release_id)
