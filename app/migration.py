"""Catalogue, what was learned and events, from the embedded engine to the cluster that the settings name."""

from dataclasses import dataclass

from app.wiring import Parts, build_parts
from index_mappings.errors import BadRequest
from loaders.migration import Notes, move_events, move_items
from ranking.progress import Progress


@dataclass(frozen=True, slots=True)
class Moved:
    """What a run brought to the cluster, and how many events are on each side now."""

    version: str
    items: int
    deleted: int
    events: int
    events_here: int
    events_there: int


def migrate(parts: Parts, progress: Progress) -> Moved:
    """Raises BadRequest, NotFound, Conflict, LoadRefused. The embedded engine serves on, unchanged."""
    if parts.settings.engine == "embedded":
        raise BadRequest(
            "name the cluster to move to: REELRANK_ENGINE=elasticsearch, REELRANK_ENGINE_URL=..."
        )
    here = build_parts(parts.settings.model_copy(update={"engine": "embedded"}))
    notes = Notes(parts.settings.loads_dir)
    items = move_items(here.engine, parts.engine, notes, progress)
    events = move_events(here.events, parts.events, notes, progress)
    return Moved(
        items.version, items.written, items.deleted, events, here.events.count(), parts.events.count()
    )
