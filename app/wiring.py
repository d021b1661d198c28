"""Builds the application from settings. Only this module and `engine_wiring.py` name concrete classes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from reelrank.app.clock import SYSTEM_CLOCK, Clock, SimulatedClock
from reelrank.app.engine_wiring import build_engine
from reelrank.app.engines.server.external.external_engine import ReadOnlyEngine
from reelrank.app.feedback.dashboard_log import DashboardLog, DashboardStreams
from reelrank.app.feedback.decision_log import DecisionLog, LakeOutput
from reelrank.app.feedback.decision_rows import RowBuilder
from reelrank.app.feedback.event_circuit_breaker import EventCircuitBreaker
from reelrank.app.release.distribution import ModelFiles
from reelrank.app.release.promotion import ReleaseManager
from reelrank.app.scoring.ranking_client import RankingService
from reelrank.app.scoring.remote_models import RemoteModels
from reelrank.app.search.ports import ReleaseAssigner
from reelrank.app.search.result_cache import LISTS_FILE, ResultCache
from reelrank.app.search.service import FailureListener, SearchService
from reelrank.app.search.trial.experiments import ExperimentAssigner
from reelrank.app.search.trial.warm_up import warm_up
from reelrank.app.search.viewers import build_pools
from reelrank.app.settings import Settings
from reelrank.app.state.counter_snapshots import CounterSnapshots
from reelrank.app.state.item_tables import ItemTableStore
from reelrank.app.state.model_cache import Models, ModelSource, ServedModels
from reelrank.app.state.refresher import StateRefresher
from reelrank.app.state.release_states import StateSources
from reelrank.index_mappings.encoder import ENCODER_NAME, TextEncoder, WordLlamaEncoder
from reelrank.index_mappings.engine import SearchEngine
from reelrank.index_mappings.event_store import EventStore
from reelrank.index_mappings.item import Item
from reelrank.index_mappings.mapping import compute_index_fingerprint
from reelrank.loaders.lake.storage import LakeStorage
from reelrank.loaders.lake.user_keys import UserKeys
from reelrank.loaders.lake.writer import LakeWriter
from reelrank.ranking.experiments.store import FileExperiments
from reelrank.ranking.features.compute import FEATURE_NAMES
from reelrank.ranking.features.fingerprint import compute_feature_fingerprint
from reelrank.ranking.items.spelling.synonyms import NO_SYNONYMS, Synonyms, read_synonyms
from reelrank.ranking.policies.config import (
    EXPLORATION_SLOTS,
    NAMED_AS_SETTINGS,
    CandidateLimits,
    RankingConfig,
)
from reelrank.ranking.policies.known_policies import KNOWN_POLICIES
from reelrank.ranking.rankers.blending import BlendWeights
from reelrank.ranking.rankers.lambdarank import FusedOrder, Ranker
from reelrank.ranking.rankers.loading import load_ranker
from reelrank.ranking.registry.models import Registry
from reelrank.ranking.registry.releases import Release, ReleaseStore
from reelrank.ranking.retrieval.source_names import SOURCES


@dataclass(frozen=True, slots=True)
class Container:
    """The dependencies of every command: engine, events, encoder, models, releases, experiments."""

    settings: Settings
    engine: SearchEngine
    events: EventStore
    encoder: TextEncoder
    registry: Registry
    releases: ReleaseStore
    config: RankingConfig
    clock: Clock
    experiments: FileExperiments
    synonyms: Synonyms = NO_SYNONYMS
    dashboards: DashboardStreams | None = None
    scan_foreign_items: Callable[[], Iterator[list[Item]]] | None = None
    """Scans the items of an existing, read-only index, when the settings name one."""


def build_container(settings: Settings, clock: Clock | None = None) -> Container:
    """Builds the dependencies without opening any, before the fork. clock: None for that of the settings."""
    clock = clock or (SimulatedClock() if settings.clock == "simulated" else SYSTEM_CLOCK)
    engine, events, releases, dashboards = build_engine(settings, clock)
    return Container(
        settings,
        engine,
        events,
        WordLlamaEncoder(),
        Registry(settings.models_dir, clock.now),
        releases,
        build_ranking_config(settings),
        clock,
        FileExperiments(settings.experiments_dir, clock.now),
        read_synonyms(settings.synonyms),
        dashboards,
        engine.external.scan_items if isinstance(engine, ReadOnlyEngine) else None,
    )


def build_ranking_config(settings: Settings) -> RankingConfig:
    """Builds the default config, for requests without a config from an assigner."""
    limits = CandidateLimits(**{source: getattr(settings, f"cap_{source}") for source in SOURCES})
    shown = settings.explore_slots, KNOWN_POLICIES, settings.popular_half_life_days, settings.diversity
    blend = BlendWeights(settings.weight_lambdarank, settings.weight_pointwise)
    explored = settings.contextual_exploration, settings.random_exploration_share
    return RankingConfig(limits, *shown, blend, settings.similar_exploration_slots, *explored)


def list_stated(container: Container) -> frozenset[str]:
    """Returns the names of ranking values that the settings state, or that code replaced in the container."""
    settings, values = container.settings, container.config.to_values()
    default = build_ranking_config(settings).to_values()
    given = {name.removeprefix("cap_") for name in settings.model_fields_set if name.startswith("cap_")}
    given |= {EXPLORATION_SLOTS} if "explore_slots" in settings.model_fields_set else set()
    given |= NAMED_AS_SETTINGS & settings.model_fields_set
    return frozenset(given | {name for name, value in values.items() if value != default[name]})


def load_model(directory: Path) -> Ranker:
    """Loads a model that fits this build. Raises ModelRejected."""
    return load_ranker(
        directory, FEATURE_NAMES, compute_feature_fingerprint, ENCODER_NAME, compute_index_fingerprint()
    )


def build_models(container: Container) -> Models:
    """Builds the models of this disk, or those of the ranking service in role candidates."""
    settings = container.settings
    if settings.role == "candidates":
        service = RankingService(settings.ranking_url, settings.ranking_key)
        return RemoteModels(service, settings.ranking_timeout_ms / 1000, cache(compute_feature_fingerprint))
    releases = build_release_manager(container)
    source = ModelSource(
        container.registry, container.releases, load_model, releases.files.fetch, releases.promote_model
    )
    return ServedModels(source)


def apply_release_settings(container: Container, release: Release | None = None) -> Container:
    """Returns the container with the ranking settings of a release (None: of the serving one); those that are
    stated stay."""
    pointer = container.releases.read_pointer()
    if (release := release or (pointer.serving if pointer else None)) is None:
        return container
    stated_names = list_stated(container)
    values = {name: value for name, value in release.config.items() if name not in stated_names}
    return replace(container, config=container.config.with_values(values))


def read_serving_model(container: Container) -> str | None:
    """Reads the model of the serving release; None when the fused order serves."""
    pointer = container.releases.read_pointer()
    model = pointer.serving.model if pointer else container.registry.read_legacy_pointer("CURRENT")
    return None if model == FusedOrder.name else model


def build_release_manager(container: Container) -> ReleaseManager:
    """Builds the manager that promotes and rolls back index version and model together."""
    settings = container.settings
    return ReleaseManager(
        container.engine,
        container.registry,
        container.releases,
        ModelFiles(container.registry, load_model, settings.releases_url),
        ItemTableStore(settings.tables_dir, container.engine).read_embeddings,
        container.config.to_values(),
        settings.releases_dir / "promotion.lock",
        container.clock.now,
    )


def _ignore(*_arguments: object) -> None:
    """Ignores failures, where no metric counts them."""


def build_service(
    container: Container, on_dropped: Callable[[str], None] = _ignore, on_failure: FailureListener = _ignore
) -> SearchService:
    """Builds the service of one process, without starting it: see StateRefresher.poll and DecisionLog.start.

    on_dropped: called with the reason when a shown page is not recorded. on_failure: see SearchService.
    """
    settings = container.settings
    lake, identify = build_lake_output(container), build_user_keys(settings).find_key
    streams, releases = container.dashboards, build_release_manager(container)
    dashboards = DashboardLog(streams, on_dropped, identify) if streams is not None else None
    refresher = StateRefresher(
        StateSources(
            container.engine,
            container.events,
            build_models(container),
            container.releases,
            ItemTableStore(settings.tables_dir, container.engine).open_or_rebuild,
            CounterSnapshots(settings.counters_file),
            releases.settle,
            releases.end_write_block,
            container.experiments.list_running,
        )
    )
    return SearchService(
        container.engine,
        container.events,
        container.encoder,
        container.synonyms,
        refresher,
        ResultCache(settings.data_dir / LISTS_FILE, settings.cursor_minutes * 60, identify, container.clock),
        DecisionLog(lake, container.events, settings.log_share, on_dropped, dashboards),
        _build_assigner(container, refresher),
        settings.deadline_ms / 1000,
        *build_pools(settings.threads),
        EventCircuitBreaker(container.events, container.clock),
        container.clock,
        on_failure,
        identify,
    )


def _build_assigner(container: Container, refresher: StateRefresher) -> ExperimentAssigner:
    base = ReleaseAssigner(container.config, list_stated(container), lambda: refresher.state.config)
    return ExperimentAssigner(base, lambda: refresher.trial.experiments)


def build_user_keys(settings: Settings) -> UserKeys:
    """Builds what makes keys of user ids; it reads the secret at its first use."""
    return UserKeys(settings.lake_key)


def build_lake_storage(settings: Settings) -> LakeStorage:
    """Opens the lake of the settings. Raises Unavailable."""
    return LakeStorage(settings.lake_location, settings.data_dir / "locks")


def build_lake_output(container: Container) -> LakeOutput:
    """Builds what the decision log writes to; the lake opens at the first write."""
    settings, read_fingerprint = container.settings, cache(lambda: compute_feature_fingerprint(FEATURE_NAMES))
    rows = RowBuilder(build_user_keys(settings).get_key, read_fingerprint)

    def build_writer() -> LakeWriter:  # one thread, since the last files are written while the process ends
        return LakeWriter(build_lake_storage(settings), read_fingerprint(), threads=1)

    return LakeOutput(build_writer, rows, container.clock)


def warm_service(container: Container) -> SearchService:
    """Builds a service and loads its state, so that the first request is as fast as the next.

    Raises Unavailable when no index version serves.
    """
    service = build_service(container)
    warm_up(service)
    service.refresher.state  # noqa: B018  # raises Unavailable
    return service
