"""The only place that names concrete classes and turns settings into a working house."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from app.engines.elasticsearch import elasticsearch_cluster, elasticsearch_engine
from app.engines.embedded.engine import EmbeddedEngine
from app.engines.embedded.events import EmbeddedEvents
from app.engines.opensearch import opensearch_cluster, opensearch_engine
from app.engines.server.access import Access
from app.engines.server.events import ServerEvents
from app.engines.server.foreign import ForeignIndex
from app.engines.server.foreign_fields import foreign_fields
from app.engines.server.generations import Lifetime
from app.engines.server.impressions import ServerImpressions
from app.engines.server.read_only import ReadOnlyEngine
from app.engines.server.summaries import ServerSummaries
from app.engines.server.versions import Layout
from app.remote.ranking_service import RankingService
from app.remote.remote_models import RemoteModels
from app.search.cursors import Cursors
from app.search.dashboard_log import DashboardLog, Dashboards
from app.search.intake import Intake
from app.search.live import Live
from app.search.page_log import PageLog
from app.search.served_models import Models, ServedModels
from app.search.stories import Failed, Service
from app.settings import Settings
from app.tables import Tables
from index_mappings.encoder import ENCODER_NAME, TextEncoder, WordLlamaEncoder
from index_mappings.engine import EventStore, SearchEngine
from index_mappings.fingerprint import index_fingerprint
from index_mappings.item import Item
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
    dashboards: Dashboards | None = None
    theirs: Callable[[], Iterator[list[Item]]] | None = None
    """The items of an index that somebody else made, when the settings name one."""


def build_parts(settings: Settings) -> Parts:
    """Opens nothing: engines and models are opened at their first use, so after a fork."""
    engine, events, dashboards = _engine(settings)
    return Parts(
        settings,
        engine,
        events,
        WordLlamaEncoder(),
        Registry(settings.models_dir),
        Caps(**{source: getattr(settings, f"cap_{source}") for source in SOURCES}),
        dashboards,
        engine.theirs.items if isinstance(engine, ReadOnlyEngine) else None,
    )


def _engine(settings: Settings) -> tuple[SearchEngine, EventStore, Dashboards | None]:
    """The embedded engine has no dashboards, so nothing is written for them."""
    if settings.engine == "embedded":
        return EmbeddedEngine(settings.engine_dir), EmbeddedEvents(settings.engine_dir), None
    access = Access(
        settings.engine_urls,
        settings.engine_username,
        settings.engine_password.get_secret_value(),
        settings.engine_api_key.get_secret_value(),
        settings.engine_cloud_id,
        settings.engine_ca_certs,
    )
    layout = Layout(settings.engine_prefix, settings.engine_shards, settings.engine_replicas)
    clusters = {"elasticsearch": elasticsearch_cluster, "opensearch": opensearch_cluster}
    engines = {"elasticsearch": elasticsearch_engine, "opensearch": opensearch_engine}
    cluster = clusters[settings.engine](access)
    lifetime = Lifetime(settings.events_keep_days, settings.events_rollover_days)
    events = ServerEvents(cluster, f"{layout.prefix}events", settings.events_refresh_ms, lifetime)
    dashboards = Dashboards(
        ServerSummaries(cluster, f"{layout.prefix}requests", lifetime),
        ServerImpressions(cluster, f"{layout.prefix}impressions", lifetime),
    )
    engine = engines[settings.engine](cluster, layout)
    if not settings.engine_index:
        return engine, events, dashboards
    theirs = ForeignIndex(cluster, settings.engine_index, foreign_fields(settings.engine_fields))
    return ReadOnlyEngine(engine, theirs), events, dashboards


def load_model(directory: Path) -> Ranker:
    """A model that fits this build. Raises Refused."""
    return load_ranker(directory, FEATURE_NAMES, feature_fingerprint, ENCODER_NAME, index_fingerprint())


def build_models(parts: Parts) -> Models:
    """Those on the own disk, or the ranking service's in the role that asks it."""
    settings = parts.settings
    if settings.role == "candidates":
        service = RankingService(settings.ranking_url)
        return RemoteModels(service, settings.ranking_timeout_ms / 1000, cache(feature_fingerprint))
    return ServedModels(parts.registry, load_model)


def _nobody(*_facts: object) -> None:
    """Told of what goes wrong where nobody counts it."""


def build_service(
    parts: Parts, dropped: Callable[[str], None] = _nobody, failed: Failed = _nobody
) -> Service:
    """A service for one process, not looking at anything yet: see `Live.refresh` and `PageLog.start`.

    dropped: told why whenever a shown page is not recorded. failed: see `Service`.
    """
    settings = parts.settings
    dashboards = None if parts.dashboards is None else DashboardLog(parts.dashboards, dropped)
    live = Live(
        parts.engine, parts.events, build_models(parts), Tables(settings.tables_dir, parts.engine).opened
    )
    return Service(
        parts.engine,
        parts.events,
        parts.encoder,
        live,
        Cursors(settings.data_dir / "lists.sqlite", settings.cursor_minutes * 60),
        PageLog(settings.pages_dir, parts.events, settings.log_share, dropped, dashboards),
        parts.caps,
        settings.deadline_ms / 1000,
        ThreadPoolExecutor(settings.threads * len(SOURCES), thread_name_prefix="source"),
        Intake(parts.events),
        failed,
        settings.explore_slots,
    )


def warm_service(parts: Parts) -> Service:
    """A service that has looked once: its first request is as quick as the next.

    Raises Unavailable when there is nothing to answer from.
    """
    service = build_service(parts)
    service.warm()
    service.live.state  # noqa: B018  # raises what is missing
    return service
