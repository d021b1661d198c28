"""Ablation: measures the ranking without a group of features, a source or the text encoder.

Features are left out by training without their columns, sources by another backtest without them; another
text encoder encodes every text again.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.encoders import resize_text_field
from benchmarks.quality.requests import NDCG, MeasureMatrix, measure_fused_order, measure_model_order
from reelrank.app.jobs.history import History
from reelrank.app.jobs.training import (
    EVALUATION_REQUESTS,
    TRAINING_REQUESTS,
    collect_judged_requests,
    collect_training_set,
)
from reelrank.index_mappings.encoder import TextEncoder
from reelrank.loaders.items.catalogue import encode_documents
from reelrank.ranking.evaluation.judged_request import JudgedRequest
from reelrank.ranking.features.compute import FEATURE_NAMES, FEATURES
from reelrank.ranking.progress import Progress, ignore_progress
from reelrank.ranking.rankers.lambdarank import LambdaRank
from reelrank.ranking.retrieval.source_names import SOURCES
from reelrank.ranking.training.dataset import TrainingSet
from reelrank.ranking.training.lambdarank import PARAMS, train_ranker

FULL, NO_RANKER = "the full system", "the fused order, no ranker"
ONE_THREAD = {"num_threads": 1}
WITHOUT = "without"
TEXT_FEATURES = (
    "cosine_query", "cosine_taste", "cosine_past_queries", "last_text", "nearest_text",
    "reciprocal_rank_text_knn", "reciprocal_rank_recent",
)  # fmt: skip
TEXT_SOURCES = ("text_knn", "recent")
GROUPS = tuple(dict.fromkeys(feature.group for feature in FEATURES))
RankedMeasures = dict[str, MeasureMatrix]
"""NDCG, precision and recall at 10 of the same requests by system."""


@dataclass(frozen=True, slots=True)
class AblationPlan:
    """training, judged: numbers of requests. encoders: replace the product's; if any, none is measured too.

    seeds: of LightGBM's sampling of rows and columns, the product's first. A system is measured by the mean
    over all seeds, because the difference between two seeds is as large as many effects.
    """

    training: int = TRAINING_REQUESTS
    judged: int = EVALUATION_REQUESTS
    seeds: Sequence[int] = (PARAMS["seed"], 17, 18)
    groups: Sequence[str] = GROUPS
    sources: Sequence[str] = SOURCES
    encoders: Sequence[TextEncoder] = ()


@dataclass(frozen=True, slots=True, eq=False)
class BacktestWindow:
    """The training set and judged requests of a backtest. names: of the features, in order."""

    training: TrainingSet
    judged: Sequence[JudgedRequest]
    names: tuple[str, ...] = FEATURE_NAMES

    def drop_features(self, left_out: Sequence[str]) -> "BacktestWindow":
        """Returns the same requests and candidates without these features."""
        kept = [index for index, name in enumerate(self.names) if name not in left_out]
        judged = [replace(request, features=request.features[:, kept]) for request in self.judged]
        training = replace(self.training, features=self.training.features[:, kept])
        return BacktestWindow(training, judged, tuple(self.names[index] for index in kept))

    def find_constant_features(self) -> tuple[str, ...]:
        """Returns features with one value in all rows, from which nothing can be learned."""
        columns = zip(self.names, self.training.features.T, strict=True)
        return tuple(name for name, column in columns if len(np.unique(column)) < 2)

    def measure_rankers(self, seeds: Sequence[int]) -> MeasureMatrix:
        """Trains a ranker with each seed and returns the mean of their measures by request."""
        measured: MeasureMatrix = np.mean([self._measure_ranker(seed) for seed in seeds], axis=0)
        return measured

    def _measure_ranker(self, seed: int) -> MeasureMatrix:
        text = train_ranker(self.training, self.names, params={**ONE_THREAD, "seed": seed}).model_text
        return measure_model_order(self.judged, LambdaRank("ablation", self.names, text))

    def list_kinds(self) -> NDArray[np.str_]:
        return np.array([request.kind for request in self.judged])


def run_backtest(history: History, plan: AblationPlan) -> BacktestWindow:
    """Backtests a history to get requests to train on and to judge."""
    training = collect_training_set(history, ignore_progress, plan.training)
    return BacktestWindow(training, collect_judged_requests(history, ignore_progress, plan.judged))


def run_ablation(
    history: History, full: BacktestWindow, plan: AblationPlan, progress: Progress
) -> RankedMeasures:
    """Measures every system of a plan. full: the backtest of `history` with nothing left out."""
    alone = {f"{FULL}, seed {seed} alone": full.measure_rankers([seed]) for seed in plan.seeds}
    whole: MeasureMatrix = np.mean(list(alone.values()), axis=0)
    ranked = {FULL: whole, NO_RANKER: measure_fused_order(full.judged), **(alone if len(alone) > 1 else {})}
    systems = _build_systems(history, full, plan)
    for done, (name, system) in enumerate(systems.items()):
        ranked[name] = system()
        gap = float((ranked[name] - ranked[FULL])[:, NDCG].mean())
        progress(f"{name}: NDCG@10 {gap:+.4f} from the full system", done + 1, len(systems))
    return ranked


def _build_systems(
    history: History, full: BacktestWindow, plan: AblationPlan
) -> dict[str, Callable[[], MeasureMatrix]]:
    def ablate_features(left_out: Sequence[str]) -> Callable[[], MeasureMatrix]:
        return lambda: full.drop_features(left_out).measure_rankers(plan.seeds)

    def ablate_source(left_out: str) -> Callable[[], MeasureMatrix]:
        return lambda: run_backtest(_disable_sources(history, [left_out]), plan).measure_rankers(plan.seeds)

    def swap_encoder(encoder: TextEncoder) -> Callable[[], MeasureMatrix]:
        return lambda: _measure_with_encoder(history, encoder, plan)

    unknown = full.find_constant_features()
    groups = {name: [f.name for f in FEATURES if f.group == name] for name in plan.groups}
    systems = {
        f"{WITHOUT} features: {group}": ablate_features(names)
        for group, names in groups.items()
        if not set(names) <= set(unknown)
    }
    systems |= {f"{WITHOUT} source: {source}": ablate_source(source) for source in plan.sources}
    if plan.encoders:
        systems[f"{WITHOUT} a text encoder"] = lambda: _measure_without_encoder(history, plan)
    return systems | {f"text encoder: {encoder.name}": swap_encoder(encoder) for encoder in plan.encoders}


def _measure_without_encoder(history: History, plan: AblationPlan) -> MeasureMatrix:
    return (
        run_backtest(_disable_sources(history, TEXT_SOURCES), plan)
        .drop_features(TEXT_FEATURES)
        .measure_rankers(plan.seeds)
    )


def _disable_sources(history: History, sources: Sequence[str]) -> History:
    config = history.container.config
    limits = replace(config.limits, **dict.fromkeys(sources, 0))
    return replace(history, container=replace(history.container, config=replace(config, limits=limits)))


def _measure_with_encoder(history: History, encoder: TextEncoder, plan: AblationPlan) -> MeasureMatrix:
    with _encode_with(history, encoder) as encoded:
        return run_backtest(encoded, plan).measure_rankers(plan.seeds)


@contextmanager
def _encode_with(history: History, encoder: TextEncoder) -> Iterator[History]:
    """Yields the history with every item and query encoded by another encoder."""
    items = [document.item for document in history.documents]
    documents = [document for batch in encode_documents(items, encoder) for document in batch]
    with resize_text_field(encoder):
        yield replace(history, documents=documents, container=replace(history.container, encoder=encoder))
