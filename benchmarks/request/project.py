"""A project to send requests to: generated items, viewers and a model of the usual size, or the demo."""

import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import lightgbm
import numpy as np

from benchmarks.data.catalogue import Catalogue
from reelrank.app.search.page import RankingOptions
from reelrank.app.search.ports import DefaultAssigner
from reelrank.app.search.service import SearchService
from reelrank.app.search.stage_timings import StageTimings
from reelrank.app.settings import Settings
from reelrank.app.state.item_tables import ItemTableStore
from reelrank.app.wiring import Container, build_container, build_release_manager, warm_service
from reelrank.index_mappings.event import Event
from reelrank.index_mappings.fields import VECTOR_FIELDS
from reelrank.index_mappings.query import Context, Query
from reelrank.ranking.embeddings.matrix_factorization import ALPHA, REGULARIZATION
from reelrank.ranking.features.compute import FEATURE_NAMES, compute_features
from reelrank.ranking.features.fingerprint import compute_feature_fingerprint
from reelrank.ranking.items.fold_in import FoldIn
from reelrank.ranking.policies.config import CandidateLimits, RankingConfig
from reelrank.ranking.rankers.compiled_trees import compile_trees
from reelrank.ranking.rankers.manifest import Manifest

VIEWERS, WATCHES, TEXTS = 1_000, 30, 200
TREES, LEAVES = 300, 31
"""The model size for which design figures of LightGBM are given. The model of the demo has fewer trees."""
TRAINING_PAGES = 40
VERSION = "items-generated"
MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True, eq=False)
class SampleProject:
    """Everything a service needs, some of its viewers, and texts to search for."""

    container: Container
    viewers: Sequence[str]
    texts: Sequence[str]

    def build_queries(self, count: int, limit: int = 20) -> dict[str, list[Query]]:
        """Returns requests for home pages of different viewers, and searches."""
        now = Context(datetime.now(UTC))
        pairs = [(self.viewers[n % len(self.viewers)], self.texts[n % len(self.texts)]) for n in range(count)]
        return {
            "home": [Query(user=viewer, limit=limit, context=now) for viewer, _ in pairs],
            "search": [Query(text=text, user=viewer, limit=limit, context=now) for viewer, text in pairs],
        }


def build_project(directory: Path, size: int) -> SampleProject:
    """Builds items, watches, the item table and a promoted model. Labels are noise: only the cost is real."""
    container = build_container(Settings(data_dir=directory, deadline_ms=60_000))
    catalogue = Catalogue(size)
    container.engine.create_index(VERSION)
    for batch in catalogue.generate_batches():
        container.engine.write(VERSION, batch)
    ItemTableStore(container.settings.tables_dir, container.engine).build(VERSION, _build_fold_in(catalogue))
    container.engine.promote(VERSION)
    for events in _build_watches(catalogue):
        container.events.append(events)
    viewers = [f"viewer-{n}" for n in range(VIEWERS)]
    project = SampleProject(container, viewers, catalogue.build_text_queries(TEXTS))
    _train_model(project)
    return project


def open_demo_project(directory: Path) -> SampleProject:
    """Opens the demo with its busiest viewers and the first words of its most watched items."""
    container = build_container(Settings(data_dir=directory, deadline_ms=60_000))
    state = warm_service(container).refresher.state
    rows, _ = state.activity.popularity.find_most_watched(TEXTS, lambda rows: np.ones(len(rows), bool))
    items = container.engine.fetch([name.decode() for name in state.table.ids[rows].tolist()], 10.0)
    texts = [" ".join(item.title.split()[:2]) for item in items if item is not None]
    viewers = [viewer for viewer, _ in state.activity.list_busiest_viewers(VIEWERS)]
    return SampleProject(container, viewers, texts)


def limit_candidates(service: SearchService, candidate_count: int) -> SearchService:
    """Returns the service with candidate limits that give about `candidate_count` candidates."""
    return replace(service, assigner=DefaultAssigner(RankingConfig(compute_limits(candidate_count))))


def compute_limits(candidate_count: int) -> CandidateLimits:
    """Returns limits for about `candidate_count` candidates of a home page (six sources) or search (two)."""
    per_source = max(candidate_count // 6, 10)
    names = ("factors", "neighbours", "session", "recent", "popular", "fresh")
    return CandidateLimits(
        **dict.fromkeys(names, per_source), bm25=max(candidate_count * 2 // 3, 10), text_knn=per_source * 2
    )


def _build_watches(catalogue: Catalogue) -> Iterator[list[Event]]:
    rng = np.random.default_rng(7)
    now_ms = round(datetime.now(UTC).timestamp() * 1000)
    for viewer in range(VIEWERS):
        numbers = (catalogue.size * rng.random(WATCHES) ** 2).astype(int).tolist()
        yield [
            Event(
                f"{viewer}-{n}", "watch", f"viewer-{viewer}", now_ms - n * 60 * MINUTE_MS,
                catalogue.id_of(number), 50 * MINUTE_MS, 60 * MINUTE_MS, simulated=True,
            )
            for n, number in enumerate(numbers)
        ]  # fmt: skip


def _build_fold_in(catalogue: Catalogue) -> FoldIn:
    """Returns fold-in parameters of a sample of the generated factors, as if they had been learned."""
    size = VECTOR_FIELDS["factors"].size - 1
    sample = next(iter(catalogue.generate_batches()))
    factors = np.array([document.vectors["factors"][:size] for document in sample], np.float32)
    return FoldIn((factors.T @ factors).astype(np.float32), REGULARIZATION, ALPHA, 1.0)


def _train_model(project: SampleProject) -> None:
    container = project.container
    service = limit_candidates(warm_service(container), 1_000)
    queries = project.build_queries(TRAINING_PAGES)["home"]
    signals = [
        service.rank_query(RankingOptions(query, explain=True), StageTimings()).signals for query in queries
    ]
    rows = np.concatenate(
        [compute_features(page_signals) for page_signals in signals if page_signals is not None]
    )
    rng = np.random.default_rng(3)
    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):  # some features are all missing
        scaled = np.nan_to_num((rows - np.nanmean(rows, axis=0)) / (np.nanstd(rows, axis=0) + 1e-6))
    relevance = np.tanh(scaled) @ rng.normal(size=rows.shape[1]) + rng.normal(0, 2, len(rows))
    labels = (relevance > np.quantile(relevance, 0.95)).astype(int)
    groups = [len(page_signals) for page_signals in signals if page_signals is not None]
    params = {"objective": "lambdarank", "num_leaves": LEAVES, "num_threads": 1, "verbosity": -1}
    data = lightgbm.Dataset(rows, labels, group=groups, feature_name=list(FEATURE_NAMES))
    text = lightgbm.train(params, data, num_boost_round=TREES).model_to_string()
    fingerprint = compute_feature_fingerprint(FEATURE_NAMES)
    manifest = Manifest(id="generated", features=FEATURE_NAMES, feature_fingerprint=fingerprint)
    container.registry.register(manifest, text, rows[:200])
    problem = compile_trees(container.registry.find_directory("generated"))
    if problem:
        print(problem, file=sys.stderr)
    build_release_manager(container).promote_model("generated")
