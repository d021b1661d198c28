"""Ablation: measures the ranking without a group of features, a source or the text encoder.

Features are left out by training without their columns, sources by another backtest without them; another
text encoder encodes every text again.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.quality.encoders import resize_text_field
from reelrank.app.jobs.history import History
from reelrank.app.jobs.lab.features import EMBEDDING_FEATURES
from reelrank.app.jobs.lab.window import (
    GROUPS,
    SEEDS,
    WITHOUT,
    BacktestWindow,
    leave_out_features,
    list_feature_groups,
    run_backtest,
)
from reelrank.app.jobs.training import EVALUATION_REQUESTS, TRAINING_REQUESTS
from reelrank.index_mappings.encoder import TextEncoder
from reelrank.loaders.items.catalogue import encode_documents
from reelrank.ranking.evaluation.order_measures import (
    NDCG,
    MeasureMatrix,
    measure_fused_order,
)
from reelrank.ranking.progress import Progress
from reelrank.ranking.retrieval.source_names import SOURCES

FULL, NO_RANKER = "the full system", "the fused order, no ranker"
TEXT_SOURCES = ("text_knn", "recent")
RankedMeasures = dict[str, MeasureMatrix]
"""NDCG, precision and recall at 10 of the same requests by system."""


@dataclass(frozen=True, slots=True)
class AblationPlan:
    """training, judged: numbers of requests. encoders: replace the product's; if any, also without one."""

    training: int = TRAINING_REQUESTS
    judged: int = EVALUATION_REQUESTS
    seeds: Sequence[int] = SEEDS
    groups: Sequence[str] = GROUPS
    sources: Sequence[str] = SOURCES
    encoders: Sequence[TextEncoder] = ()


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
    def ablate_features(build: Callable[[], BacktestWindow]) -> Callable[[], MeasureMatrix]:
        return lambda: build().measure_rankers(plan.seeds)

    def ablate_source(left_out: str) -> Callable[[], MeasureMatrix]:
        return lambda: _backtest(_disable_sources(history, [left_out]), plan).measure_rankers(plan.seeds)

    def swap_encoder(encoder: TextEncoder) -> Callable[[], MeasureMatrix]:
        return lambda: _measure_with_encoder(history, encoder, plan)

    parts = leave_out_features(full, list_feature_groups(plan.groups))
    systems = {name: ablate_features(build) for name, build in parts.items()}
    systems |= {f"{WITHOUT} source: {source}": ablate_source(source) for source in plan.sources}
    if plan.encoders:
        systems[f"{WITHOUT} a text encoder"] = lambda: _measure_without_encoder(history, plan)
    return systems | {f"text encoder: {encoder.name}": swap_encoder(encoder) for encoder in plan.encoders}


def _backtest(history: History, plan: AblationPlan) -> BacktestWindow:
    return run_backtest(history, plan.training, plan.judged)


def _measure_without_encoder(history: History, plan: AblationPlan) -> MeasureMatrix:
    return (
        _backtest(_disable_sources(history, TEXT_SOURCES), plan)
        .drop_features(EMBEDDING_FEATURES["text"])
        .measure_rankers(plan.seeds)
    )


def _disable_sources(history: History, sources: Sequence[str]) -> History:
    config = history.container.config
    limits = replace(config.limits, **dict.fromkeys(sources, 0))
    return replace(history, container=replace(history.container, config=replace(config, limits=limits)))


def _measure_with_encoder(history: History, encoder: TextEncoder, plan: AblationPlan) -> MeasureMatrix:
    with _encode_with(history, encoder) as encoded:
        return _backtest(encoded, plan).measure_rankers(plan.seeds)


@contextmanager
def _encode_with(history: History, encoder: TextEncoder) -> Iterator[History]:
    """Yields the history with every item and query encoded by another encoder."""
    items = [document.item for document in history.documents]
    documents = [document for batch in encode_documents(items, encoder) for document in batch]
    with resize_text_field(encoder):
        yield replace(history, documents=documents, container=replace(history.container, encoder=encoder))
