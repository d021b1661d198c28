"""LambdaRank by a fitter that cannot stop early, as LightGBM on Dask: all rounds, then the best of them."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reelrank.ranking.evaluation.metrics import compute_ndcg_by_group
from reelrank.ranking.training.dataset import TrainingSet
from reelrank.ranking.training.lambdarank import (
    ROUNDS,
    TrainingResult,
    build_dataset,
    build_params,
    finish_training,
)

DEFAULTS: Mapping[str, Any] = MappingProxyType({})
STEP = 10
"""Rounds between two looks at the validation requests."""
CUTOFF = 10
Fit = Callable[[TrainingSet, Sequence[str], int, Mapping[str, Any]], Any]
"""Fits a number of rounds, with parameters that differ from the defaults, and returns the booster."""


def train_rounds(
    training: TrainingSet,
    feature_names: Sequence[str],
    fit: Fit,
    rounds: int | None = None,
    params: Mapping[str, Any] = DEFAULTS,
) -> TrainingResult:
    """Trains `rounds` rounds; None: those of ROUNDS that rank the validation requests best by NDCG@10."""
    earlier, held_out = training.split()
    booster = fit(earlier.drop_groups_without_relevant(), feature_names, rounds or ROUNDS, params)
    best = rounds or choose_rounds(booster, held_out.drop_groups_without_relevant())
    merged = build_params(feature_names) | dict(params)
    return finish_training(booster, best, feature_names, held_out, merged)


def fit_rounds(
    fitting: TrainingSet, feature_names: Sequence[str], rounds: int, params: Mapping[str, Any] = DEFAULTS
) -> Any:
    """Fits in this process."""
    import lightgbm

    merged = build_params(feature_names) | dict(params)
    return lightgbm.train(merged, build_dataset(fitting, feature_names), rounds)


def create_dask_ranker(
    client: Any, feature_names: Sequence[str], rounds: int, changed: Mapping[str, Any] = DEFAULTS
) -> Any:
    """Creates LightGBM's ranker for Dask, with the parameters of every other training."""
    import lightgbm

    apart = ("metric", "eval_at", "num_threads")  # there is no validation; each worker has its own threads
    merged = build_params(feature_names) | dict(changed)
    params = {name: value for name, value in merged.items() if name not in apart}
    return lightgbm.DaskLGBMRanker(client=client, n_estimators=rounds, tree_learner="data", **params)


def choose_rounds(booster: Any, held_out: TrainingSet) -> int:
    """Returns the number of rounds, a multiple of STEP, with the best NDCG@10; all without requests."""
    total = booster.current_iteration()
    if not len(held_out.groups):
        return int(total)
    scores, best, best_rounds = np.zeros(len(held_out.gains)), -1.0, int(total)
    for begin in range(0, total, STEP):
        scores += booster.predict(
            held_out.features, raw_score=True, start_iteration=begin, num_iteration=STEP
        )
        if (quality := compute_ndcg(scores, held_out)) > best:
            best, best_rounds = quality, min(begin + STEP, total)
    return best_rounds


def compute_ndcg(scores: NDArray[np.float64], judged: TrainingSet) -> float:
    """Returns the mean NDCG@10 with gains as they are; every group must have a gain."""
    return float(np.mean(compute_ndcgs(scores, judged)))


def compute_ndcgs(scores: NDArray[np.float64], judged: TrainingSet) -> NDArray[np.float64]:
    """Returns NDCG@10 [g] of each group."""
    return compute_ndcg_by_group(scores, judged.gains, judged.groups, CUTOFF)
