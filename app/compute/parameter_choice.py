"""Chooses parameters of LambdaRank by cross-validation over whole requests, within a budget."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reelrank.app.compute.backend import Compute, RankerTask
from reelrank.ranking.features.compute import FEATURE_NAMES
from reelrank.ranking.progress import Progress, ignore_progress
from reelrank.ranking.rankers.lambdarank import LambdaRank
from reelrank.ranking.training.dataset import TrainingSet
from reelrank.ranking.training.lambdarank import TrainingResult, train_ranker
from reelrank.ranking.training.partitioned.fixed_rounds import compute_ndcgs

CHOSEN_FROM = "chosen_from"
"""The name of the choice among the parameters of a manifest."""
FOLDS = 3
MAX_ROWS = 100_000
"""Rows that are tried on: whole requests, evenly over time. Parameters need fewer rows than a model."""
PLAIN = {
    "learning_rate": 0.03, "min_data_in_leaf": 20, "lambda_l2": 0.0, "feature_fraction": 1.0,
    "bagging_fraction": 1.0,
}  # fmt: skip
"""LightGBM's defaults beside 15 leaves and a learning rate of 0.03, which are hard to beat on small sets."""
TRIED: tuple[Mapping[str, Any], ...] = (
    {},
    PLAIN,
    {"learning_rate": 0.03},
    {"num_leaves": 7},
    {"num_leaves": 31},
    {"learning_rate": 0.03, "min_data_in_leaf": 20},
    {"min_data_in_leaf": 200},
    {"learning_rate": 0.05, "num_leaves": 31, "min_data_in_leaf": 100},
    {"num_leaves": 63, "min_data_in_leaf": 200},
)
"""What differs from the defaults, the likeliest first: a small budget tries the first ones alone."""


@dataclass(frozen=True, slots=True)
class TriedParams:
    """Parameters that differ from the defaults, and their NDCG@10 over requests that were held out."""

    params: Mapping[str, Any]
    ndcg: float


@dataclass(frozen=True, slots=True)
class ParameterChoice:
    """The best of what was tried, and all of it, the defaults first; without a choice the defaults.

    requests: that it was measured on.
    """

    params: Mapping[str, Any] = field(default_factory=dict)
    tried: tuple[TriedParams, ...] = ()
    requests: int = 0

    def describe(self) -> dict[str, Any]:
        """Returns what the manifest of a model says of the choice, beside its parameters."""
        if not self.tried:
            return {}
        tried = [{"params": dict(one.params), "ndcg@10": round(one.ndcg, 4)} for one in self.tried]
        return {CHOSEN_FROM: {"folds": FOLDS, "requests": self.requests, "tried": tried}}


def train_with_chosen_params(
    compute: Compute, rows: TrainingSet, budget_s: float, progress: Progress
) -> TrainingResult:
    """Chooses parameters and trains with them; the result says from which they were chosen."""
    choice = choose_params(rows, FEATURE_NAMES, budget_s, progress)
    trained = compute.train_ranker(RankerTask(rows, FEATURE_NAMES, params=choice.params), progress)
    return replace(trained, params=trained.params | choice.describe())


def choose_params(
    rows: TrainingSet,
    feature_names: Sequence[str],
    budget_s: float,
    progress: Progress = ignore_progress,
    tell_s: Callable[[], float] = time.process_time,
) -> ParameterChoice:
    """Returns the parameters with the best mean NDCG@10 over all requests, each measured when held out.

    budget_s: of CPU time; 0 returns the defaults untried. The requests that stop the training early are not
    used. Another one of TRIED begins while the budget holds as much as the longest so far took.
    """
    if not budget_s:
        return ParameterChoice()
    fitted = thin_groups(rows.split()[0].drop_groups_without_relevant())
    tried, began, longest = list[TriedParams](), tell_s(), 0.0
    for done, params in enumerate(TRIED):
        before = tell_s()
        if tried and before - began + longest > budget_s:
            break
        tried.append(TriedParams(params, cross_validate(fitted, feature_names, params)))
        longest = max(longest, tell_s() - before)
        progress("choosing parameters", done + 1, len(TRIED))
    progress("choosing parameters", len(TRIED), len(TRIED))
    best = max(tried, key=lambda one: one.ndcg)
    return ParameterChoice(best.params, tuple(tried), len(fitted.groups))


def thin_groups(rows: TrainingSet) -> TrainingSet:
    """Returns every k-th group, so many that MAX_ROWS rows or a few more are left."""
    step = max(round(len(rows.gains) / MAX_ROWS), 1)
    return rows.select_groups(np.arange(len(rows.groups)) % step == 0)


def cross_validate(
    rows: TrainingSet, feature_names: Sequence[str], params: Mapping[str, Any], seed: int = 0
) -> float:
    """Returns the mean NDCG@10 over all groups; a group is never split, and the folds are always the same."""
    fold_of_group = np.random.default_rng(seed).permutation(len(rows.groups)) % FOLDS
    measured = [_measure_fold(rows, fold_of_group == fold, feature_names, params) for fold in range(FOLDS)]
    return float(np.concatenate(measured).mean())


def _measure_fold(
    rows: TrainingSet, held_out: NDArray[np.bool_], feature_names: Sequence[str], params: Mapping[str, Any]
) -> NDArray[np.float64]:
    one_thread = {**params, "num_threads": 1}  # the same trees, and CPU time that can be compared
    trained = train_ranker(rows.select_groups(~held_out), feature_names, params=one_thread)
    judged = rows.select_groups(held_out)
    scores = LambdaRank("fold", feature_names, trained.model_text).score(judged.features)
    return compute_ndcgs(scores.astype(np.float64), judged)
