"""The only place that names concrete classes and turns settings into a working house."""

from dataclasses import dataclass
from pathlib import Path

from app.engines.embedded.engine import EmbeddedEngine
from app.engines.embedded.events import EmbeddedEvents
from app.search.stories import Service
from app.settings import Settings
from index_mappings.encoder import ENCODER_NAME, TextEncoder, WordLlamaEncoder
from index_mappings.engine import EventStore, SearchEngine
from index_mappings.errors import Unavailable
from index_mappings.fingerprint import index_fingerprint
from ranking.features.compute import FEATURE_NAMES
from ranking.fingerprint import feature_fingerprint
from ranking.item_table import open_table
from ranking.manifest import Refused
from ranking.popularity import popularity_from
from ranking.ranker import EngineOrder, Ranker, load_ranker
from ranking.registry import Registry
from ranking.source_names import SOURCES
from ranking.sources import Caps

FOREVER_MS = 2**62


@dataclass(frozen=True, slots=True)
class Parts:
    """What every command works with: an index, its events, the encoder and the models."""

    settings: Settings
    engine: SearchEngine
    events: EventStore
    encoder: TextEncoder
    registry: Registry
    caps: Caps


def build_parts(settings: Settings) -> Parts:
    """Opens nothing: engines and models are opened at their first use, so after a fork."""

    return Parts(
        settings,
        EmbeddedEngine(settings.engine_dir),
        EmbeddedEvents(settings.engine_dir),
        WordLlamaEncoder(),
        Registry(settings.models_dir),
        Caps(**{source: getattr(settings, f"cap_{source}") for source in SOURCES}),
    )


def load_model(directory: Path) -> Ranker:
    """A model that fits this build. Raises Refused."""
    return load_ranker(directory, FEATURE_NAMES, feature_fingerprint, ENCODER_NAME, index_fingerprint())


def build_service(parts: Parts) -> Service:
    """A service for one process, warm: its first request is as quick as the next.

    Raises Unavailable when nothing serves, TableError without a table.
    """
    version = parts.engine.serving_version()
    parts.encoder.encode(["the first words load the encoder"])
    if version is None or not parts.engine.is_ready():
        raise Unavailable("no index version serves; run: reelrank demo")
    table = open_table(parts.settings.tables_dir / version)
    ranker, degraded = _ranker(parts.registry)
    return Service(
        parts.engine,
        parts.events,
        parts.encoder,
        table,
        popularity_from(table, parts.events.scan(0, FOREVER_MS)),
        ranker,
        parts.caps,
        parts.settings.deadline_ms / 1000,
        degraded,
    )


def _ranker(registry: Registry) -> tuple[Ranker, tuple[str, ...]]:
    """The promoted model; engine order and the reason when there is none or it does not fit."""
    current = registry.current()
    if current is None:
        return EngineOrder(), ("no model is promoted",)
    try:
        return load_model(registry.directory_of(current)), ()
    except Refused as refused:
        return EngineOrder(), (str(refused),)
