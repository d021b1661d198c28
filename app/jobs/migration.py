"""Migration of catalogue, learned fields and events from the embedded engine to a cluster."""

from dataclasses import dataclass

from reelrank.app.wiring import Container, build_container, build_release_manager
from reelrank.index_mappings.errors import BadRequest
from reelrank.loaders.migration.ledger import MigrationLedger
from reelrank.loaders.migration.migrate import check_target, move_events, move_items
from reelrank.ranking.progress import Progress
from reelrank.ranking.registry.releases import Release


@dataclass(frozen=True, slots=True)
class MigrationReport:
    """What a run copied to the cluster, what it left unchanged there, and the events on each side."""

    version: str
    items: int
    deleted: int
    kept: int
    events: int
    events_here: int
    events_there: int


def migrate(container: Container, progress: Progress) -> MigrationReport:
    """Copies everything to the cluster; the embedded engine stays unchanged and keeps serving.

    Events go first, so they are copied even when the items of both sides conflict. Raises BadRequest,
    NotFound, Conflict, LoadRejected.
    """
    if container.settings.engine == "embedded":
        raise BadRequest(
            "no cluster is configured; set REELRANK_ENGINE=elasticsearch and REELRANK_ENGINE_URL",
            code="engine_not_configured",
        )
    source = build_container(container.settings.model_copy(update={"engine": "embedded"}))
    ledger = MigrationLedger(container.settings.loads_dir)
    check_target(source.engine, container.engine, ledger)
    source_pointer = build_release_manager(source).settle()
    events = move_events(source.events, container.events, ledger, progress)
    items = move_items(source.engine, container.engine, ledger, progress)
    if source_pointer is not None:
        _publish_release(container, source_pointer.find_release(items.version), items.version)
    counts = (source.events.count(), container.events.count())
    return MigrationReport(items.version, items.written, items.deleted, items.preserved, events, *counts)


def _publish_release(container: Container, release: Release, version: str) -> None:
    """Publishes the copied version with the model that it has on the embedded engine."""
    if release.index_version == version:
        releases = build_release_manager(container)
        releases.publish(version, release.model, release.embeddings, "migrate")
