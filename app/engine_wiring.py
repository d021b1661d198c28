"""Builds the engine and the stores that the settings name, embedded or on a cluster."""

from reelrank.app.clock import Clock
from reelrank.app.engines.elasticsearch import build_elasticsearch_cluster, build_elasticsearch_engine
from reelrank.app.engines.embedded.engine import EmbeddedEngine
from reelrank.app.engines.embedded.store.events import EmbeddedEvents
from reelrank.app.engines.opensearch import build_opensearch_cluster, build_opensearch_engine
from reelrank.app.engines.server.documents.releases import ServerReleases
from reelrank.app.engines.server.documents.versions import Layout
from reelrank.app.engines.server.events.data_stream_lifecycle import RetentionPolicy
from reelrank.app.engines.server.events.event_store import ServerEvents
from reelrank.app.engines.server.events.impressions import ServerImpressions
from reelrank.app.engines.server.events.summaries import ServerSummaries
from reelrank.app.engines.server.external.external_engine import ReadOnlyEngine
from reelrank.app.engines.server.external.external_fields import parse_external_fields
from reelrank.app.engines.server.external.external_index import ExternalIndex
from reelrank.app.engines.server.transport.access import Access
from reelrank.app.feedback.dashboard_log import DashboardStreams
from reelrank.app.settings import Settings
from reelrank.index_mappings.engine import SearchEngine
from reelrank.index_mappings.event_store import EventStore
from reelrank.ranking.registry.releases import FileReleases, ReleaseStore


def build_engine(
    settings: Settings, clock: Clock
) -> tuple[SearchEngine, EventStore, ReleaseStore, DashboardStreams | None]:
    """Builds engine and stores; dashboard streams exist on a cluster only."""
    if settings.engine == "embedded":
        embedded = EmbeddedEngine(settings.engine_dir, clock)
        return (
            embedded,
            EmbeddedEvents(settings.engine_dir, settings.events_keep_days, clock),
            FileReleases(settings.releases_dir),
            None,
        )
    access = Access(
        settings.engine_urls,
        settings.engine_username,
        settings.engine_password.get_secret_value(),
        settings.engine_api_key.get_secret_value(),
        settings.engine_cloud_id,
        settings.engine_ca_certs,
    )
    layout = Layout(settings.engine_prefix, settings.engine_shards, settings.engine_replicas)
    clusters = {"elasticsearch": build_elasticsearch_cluster, "opensearch": build_opensearch_cluster}
    engines = {"elasticsearch": build_elasticsearch_engine, "opensearch": build_opensearch_engine}
    cluster = clusters[settings.engine](access, clock)
    lifetime = RetentionPolicy(settings.events_keep_days, settings.events_rollover_days)
    events = ServerEvents(cluster, f"{layout.prefix}events", settings.events_refresh_ms, lifetime)
    dashboards = DashboardStreams(
        ServerSummaries(cluster, f"{layout.prefix}requests", lifetime),
        ServerImpressions(cluster, f"{layout.prefix}impressions", lifetime),
    )
    engine = engines[settings.engine](cluster, layout)
    releases = ServerReleases(cluster, f"{layout.prefix}releases")
    if not settings.engine_index:
        return engine, events, releases, dashboards
    external = ExternalIndex(cluster, settings.engine_index, parse_external_fields(settings.engine_fields))
    return ReadOnlyEngine(external, engine), events, releases, dashboards
