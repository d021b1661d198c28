"""Catalogue, what was learned and events, from the embedded engine to the cluster that the settings name."""

from dataclasses import dataclass

from app.wiring import Parts, build_parts
from index_mappings.errors import BadRequest
from loaders.migration import move_events, move_items, refuse_another
from loaders.migration_notes import Notes
from ranking.progress import Progress


@dataclass(frozen=True, slots=True)
class Moved:
    """What a run brought to the cluster, what it kept there, and how many events are on each side now."""

    version: str
    items: int
    deleted: int
    kept: int
    events: int
    events_here: int
    events_there: int


def migrate(parts: Parts, progress: Progress) -> Moved:
    """Raises BadRequest, NotFound, Conflict, LoadRefused. The embedded engine serves on, unchanged.

    Events go first: they are moved also where the items of both sides went ways of their own.
    """
    if parts.settings.engine == "embedded":
        raise BadRequest(
            "name the cluster to move to: REELRANK_ENGINE=elasticsearch, REELRANK_ENGINE_URL=..."
        )
    here = build_parts(parts.settings.model_copy(update={"engine": "embedded"}))
    notes = Notes(parts.settings.loads_dir)
    refuse_another(here.engine, parts.engine, notes)
    events = move_events(here.events, parts.events, notes, progress)
    items = move_items(here.engine, parts.engine, notes, progress)
    counts = (here.events.count(), parts.events.count())
    return Moved(items.version, items.written, items.deleted, items.kept, events, *counts)
