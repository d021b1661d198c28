"""The feature lab: what each group, cross, embedding and number of hash buckets is worth on the data at hand.

Features are left out or changed in one backtest; candidates stay the same. Removing the candidate sources of
an embedding is another question, which `python -m benchmarks demo` asks.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reelrank.app.jobs.lab.window import SEEDS, BacktestWindow, leave_out_features, list_feature_groups
from reelrank.ranking.evaluation.intervals import (
    MIN_VIEWERS,
    Interval,
    Verdict,
    bootstrap_intervals,
    judge_difference,
)
from reelrank.ranking.evaluation.judged_request import name_viewer
from reelrank.ranking.evaluation.order_measures import MeasureMatrix
from reelrank.ranking.features.context import HASH_BUCKETS, HASH_SEEDS
from reelrank.ranking.progress import Progress, ignore_progress

FULL = "the full system"
EMBEDDING_FEATURES: dict[str, tuple[str, ...]] = {
    "text": (
        "cosine_query", "cosine_taste", "cosine_past_queries", "last_text", "nearest_text",
        "reciprocal_rank_text_knn", "reciprocal_rank_recent",
    ),
    "matrix factorisation": ("cosine_factors", "last_factors", "reciprocal_rank_factors"),
    "item2vec": ("cosine_session", "last_session", "nearest_session", "reciprocal_rank_session"),
    "item neighbours": (
        "history_weight", "history_of_best", "score_neighbours", "reciprocal_rank_neighbours",
    ),
}  # fmt: skip
"""The features that each embedding alone provides."""
FEWER_BUCKETS = (4, 16, 64)
"""Powers of two, so that the HASH_BUCKETS of the product merge without a remainder."""
MEASURES = ("ndcg@10", "precision@10", "recall@10")


@dataclass(frozen=True, slots=True)
class FeatureEffect:
    """What a change does: its measures minus those of the full system, paired, with intervals by viewer."""

    name: str
    differences: dict[str, Interval]
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class BucketUse:
    """How a hashed feature fills its buckets.

    values: distinct values, counted in the catalogue or estimated from the buckets that are used (linear
    counting, Whang et al. 1990); None where all are. collisions: number of buckets to the expected share of
    values that share one.
    """

    feature: str
    used: int
    values: float | None
    collisions: dict[int, float]


@dataclass(frozen=True, slots=True)
class FeatureReport:
    """Measures of the full system, the effect of each change, and how hashed features fill their buckets."""

    full: dict[str, Interval]
    effects: tuple[FeatureEffect, ...]
    buckets: tuple[BucketUse, ...]
    training_requests: int
    judged_requests: int
    viewers: int


def measure_features(
    full: BacktestWindow,
    progress: Progress = ignore_progress,
    seeds: Sequence[int] = SEEDS,
    values: Mapping[str, int] | None = None,
) -> FeatureReport:
    """Trains with every change and each seed, and measures the effects on the judged requests.

    values: number of distinct values of hashed features, where it is known.
    """
    viewers = np.array([name_viewer(request, row) for row, request in enumerate(full.judged)])
    whole, systems = full.measure_rankers(seeds), list_systems(full)
    effects = []
    for done, (name, build) in enumerate(systems.items()):
        effects.append(_compare(name, build().measure_rankers(seeds) - whole, viewers))
        progress(f"{name}: NDCG@10 {effects[-1].differences['ndcg@10'].mean:+.4f}", done + 1, len(systems))
    return FeatureReport(
        dict(zip(MEASURES, bootstrap_intervals(whole, groups=viewers), strict=True)),
        tuple(effects),
        tuple(count_buckets(full, values or {})),
        len(full.training.groups),
        len(full.judged),
        len(np.unique(viewers)),
    )


def list_systems(full: BacktestWindow) -> dict[str, Callable[[], BacktestWindow]]:
    """Returns what builds the window of each change, by its name."""
    hashed = [name for name in HASH_SEEDS if name in full.names]
    parts: dict[str, Sequence[str]] = dict(list_feature_groups())
    parts |= {f"hashed feature: {name}": [name] for name in hashed}
    parts |= {f"embedding: {name}": features for name, features in EMBEDDING_FEATURES.items()}
    parts |= {"hashing and crosses": hashed}
    known = {part: names for part, names in parts.items() if set(names) & set(full.names)}
    return leave_out_features(full, known) | {
        f"{buckets} buckets instead of {HASH_BUCKETS}": _build_with_buckets(full, hashed, buckets)
        for buckets in (FEWER_BUCKETS if hashed else ())
    }


def _build_with_buckets(
    full: BacktestWindow, hashed: Sequence[str], buckets: int
) -> Callable[[], BacktestWindow]:
    columns = [full.names.index(name) for name in hashed]

    def merge(features: NDArray[np.float32]) -> NDArray[np.float32]:
        merged = features.copy()
        merged[:, columns] = np.floor(merged[:, columns] * np.float32(buckets / HASH_BUCKETS))
        return merged

    return lambda: full.change_features(merge)


def _compare(name: str, differences: MeasureMatrix, viewers: NDArray[np.str_]) -> FeatureEffect:
    intervals = bootstrap_intervals(differences, groups=viewers)
    verdict = judge_difference(intervals[0], len(np.unique(viewers)), MIN_VIEWERS)
    return FeatureEffect(name, dict(zip(MEASURES, intervals, strict=True)), verdict)


def count_buckets(full: BacktestWindow, known: Mapping[str, int]) -> list[BucketUse]:
    """Counts the buckets that each hashed feature uses in the training rows, and what they mean."""
    uses = []
    for name in (name for name in HASH_SEEDS if name in full.names):
        column = full.training.features[:, full.names.index(name)]
        used = len(np.unique(column[np.isfinite(column)]))
        values: float | None = known.get(name)
        if values is None and used < HASH_BUCKETS:
            values = -HASH_BUCKETS * float(np.log1p(-used / HASH_BUCKETS))
        sizes = (*FEWER_BUCKETS, HASH_BUCKETS)
        collisions = {} if values is None else {size: estimate_collisions(values, size) for size in sizes}
        uses.append(BucketUse(name, used, values, collisions))
    return uses


def estimate_collisions(values: float, buckets: int) -> float:
    """Returns the expected share of distinct values that share their bucket with another one."""
    return float(1.0 - (1.0 - 1.0 / buckets) ** max(values - 1.0, 0.0))


def describe_effects(report: FeatureReport) -> list[str]:
    """Returns sentences: what certainly helps, what certainly harms, and what cannot be told."""
    by_verdict: dict[Verdict, list[str]] = {}
    for effect in report.effects:
        by_verdict.setdefault(effect.verdict, []).append(effect.name)
    needed, harmful = by_verdict.get(Verdict.WORSE, []), by_verdict.get(Verdict.BETTER, [])
    unsure = len(report.effects) - len(needed) - len(harmful)
    return [
        f"certainly worse in NDCG@10, so what is left out earns its place: {'; '.join(needed) or 'none'}",
        f"certainly better, so what is left out may harm: {'; '.join(harmful) or 'none'}",
        f"not certain: {unsure} of {len(report.effects)} changes, on {report.viewers:,} viewers. One change "
        "in twenty without any effect looks certain by chance.",
    ]
