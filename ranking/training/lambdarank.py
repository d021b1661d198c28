"""LambdaRank training with LightGBM (Burges 2010; Ke et al. 2017)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from reelrank.ranking.features.compute import FEATURES_BY_NAME
from reelrank.ranking.progress import Progress, ignore_progress
from reelrank.ranking.rankers.calibration import Calibration, fit_calibration
from reelrank.ranking.training.dataset import TrainingSet
from reelrank.ranking.training.position_bias import number_positions

ROUNDS = 400
"""An upper bound: early stopping ends training on the demo after about 143 trees."""
PATIENCE = 80
"""NDCG@10 of a few hundred requests is noisy: with 40, one training on the demo stopped after 26 trees."""

LEARNING_RATE = 0.1
"""Scoring time grows with the number of trees. On the requests before the demo's evaluation window, 0.05
needs 242 trees and 0.1 needs 143 (means of four seeds); NDCG@10 differs by 0.0000 [-0.0023, 0.0026] (three
pairs of trainings)."""

PARAMS: dict[str, Any] = {
    "objective": "lambdarank",
    "metric": "ndcg",
    "eval_at": [10],
    "label_gain": list(range(32)),
    "lambdarank_truncation_level": 30,
    "learning_rate": LEARNING_RATE,
    "num_leaves": 15,
    "min_data_in_leaf": 50,
    "feature_fraction": 0.7,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "num_threads": 2,
    "deterministic": True,
    "force_row_wise": True,
    "seed": 7,
    "verbosity": -1,
}


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """A trained model. model_text: in LightGBM's text format. gains: feature to its total split gain.

    calibration: None when the validation requests have no relevant candidate.
    """

    model_text: str
    gains: dict[str, float]
    rounds: int
    params: dict[str, Any]
    calibration: Calibration | None


def train_ranker(
    training: TrainingSet,
    feature_names: Sequence[str],
    progress: Progress = ignore_progress,
    params: Mapping[str, Any] | None = None,
    handle: Callable[[TrainingSet], TrainingSet] | None = None,
) -> TrainingResult:
    """Trains until NDCG@10 on the validation requests stops improving.

    params: override `build_params`. handle: changes the rows that are fitted, and not those that stop and
    calibrate; the weights it returns are used.
    """
    import lightgbm

    merged_params = build_params(feature_names) | dict(params or {})
    earlier, held_out = training.split()
    fitting, later = earlier.drop_groups_without_relevant(), held_out.drop_groups_without_relevant()
    data = build_dataset(fitting, feature_names, handle)
    validation = lightgbm.Dataset(later.features, later.gains, group=later.groups, reference=data)
    booster = lightgbm.train(
        merged_params,
        data,
        ROUNDS,
        valid_sets=[validation],
        callbacks=[
            lightgbm.early_stopping(PATIENCE, verbose=False),
            lambda env: progress("training LambdaRank", env.iteration + 1, ROUNDS),
        ],
    )
    progress("training LambdaRank", ROUNDS, ROUNDS)
    return finish_training(booster, booster.best_iteration, feature_names, held_out, merged_params)


def finish_training(
    booster: Any,
    rounds: int,
    feature_names: Sequence[str],
    held_out: TrainingSet,
    params: Mapping[str, Any] | None = None,
) -> TrainingResult:
    """Returns the first `rounds` trees of a booster, calibrated on requests that were not fitted."""
    gains = dict(zip(feature_names, booster.feature_importance("gain").tolist(), strict=True))
    text = booster.model_to_string(num_iteration=rounds)
    scores = booster.predict(held_out.features, raw_score=True, num_iteration=rounds)
    calibration = fit_calibration(
        np.asarray(scores, np.float32), held_out.gains > 0, held_out.get_row_weights()
    )
    used = build_params(feature_names) if params is None else dict(params)
    return TrainingResult(text, gains, rounds, used, calibration)


def build_dataset(
    fitting: TrainingSet,
    feature_names: Sequence[str],
    handle: Callable[[TrainingSet], TrainingSet] | None = None,
) -> Any:
    """Builds the dataset to fit. Sampling weights do not count: an order needs no shares of candidates.

    Rows that say where they were shown have their importance as weights; without one, LightGBM learns the
    bias of each position, and scores without it.
    """
    import lightgbm

    rows = fitting if handle is None else handle(fitting)
    weights = None if handle is None else rows.get_row_weights()
    names, shown = list(feature_names), rows.shown
    if shown is not None and shown.importance is not None:
        weights = shown.importance
    data = lightgbm.Dataset(rows.features, rows.gains, group=rows.groups, weight=weights, feature_name=names)
    if shown is not None and shown.importance is None:
        data.set_position(number_positions(shown))
    return data


def build_params(feature_names: Sequence[str]) -> dict[str, Any]:
    """Builds the parameters of LightGBM. A feature that declares a direction is constrained to it."""
    return PARAMS | {"monotone_constraints": _list_directions(feature_names)}


def _list_directions(feature_names: Sequence[str]) -> list[int]:
    """Returns the direction of each feature; 0 for one that this build does not declare."""
    return [FEATURES_BY_NAME[name].direction if name in FEATURES_BY_NAME else 0 for name in feature_names]
