"""The only place that names concrete classes and turns settings into a working house."""

from dataclasses import dataclass
from pathlib import Path

from app.engines.embedded.engine import EmbeddedEngine
from app.engines.embedded.events import EmbeddedEvents
from app.settings import Settings
from index_mappings.encoder import ENCODER_NAME, TextEncoder, WordLlamaEncoder
from index_mappings.engine import EventStore, SearchEngine
from index_mappings.fingerprint import index_fingerprint
from ranking.features.compute import FEATURE_NAMES
from ranking.fingerprint import feature_fingerprint
from ranking.ranker import Ranker, load_ranker
from ranking.registry import Registry
from ranking.source_names import SOURCES
from ranking.sources import Caps


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
