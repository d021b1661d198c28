"""Catalogue, what was learned and events, from the embedded engine to the cluster that the settings name."""

from dataclasses import dataclass

from reelrank.app.wiring import Container, build_container, build_release_manager
from reelrank.index_mappings.errors import BadRequest
from reelrank.loaders.migration.ledger import MigrationLedger
from reelrank.loaders.migration.migrate import check_target, move_events, move_items
from reelrank.ranking.progress import Progress
from reelrank.ranking.registry.releases import Release


@dataclass(frozen=True, slots=True)
class MigrationReport:
    """What a run brought to the cluster, what it kept there, and how many events are on each side now."""

    version: str
    items: int
    deleted: int
    kept: int
    events: int
    events_here: int
    events_there: int


def migrate(container: Container, progress: Progress) -> MigrationReport:
    """Raises BadRequest, NotFound, Conflict, LoadRefused. The embedded engine serves on, unchanged.

    Events go first: they are moved also where the items of both sides went ways of their own.
    """
    if container.settings.engine == "embedded":
        raise BadRequest(
            "name the cluster to move to: REELRANK_ENGINE=elasticsearch, REELRANK_ENGINE_URL=..."
        )
    here = build_container(container.settings.model_copy(update={"engine": "embedded"}))
    notes = MigrationLedger(container.settings.loads_dir)
    check_target(here.engine, container.engine, notes)
    source_pointer = build_release_manager(here).settle()
    events = move_events(here.events, container.events, notes, progress)
    items = move_items(here.engine, container.engine, notes, progress)
    if source_pointer is not None:
        _publish_release(container, source_pointer.find_release(items.version), items.version)
    counts = (here.events.count(), container.events.count())
    return MigrationReport(items.version, items.written, items.deleted, items.preserved, events, *counts)


def _publish_release(container: Container, source: Release, version: str) -> None:
    """The cluster serves the version that was moved with the model that it has on the embedded engine."""
    if source.index_version == version:
        releases = build_release_manager(container)
        releases.publish(version, source.model, source.embeddings, "migrate")
