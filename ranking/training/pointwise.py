"""A pointwise model of the probability that a viewer wants an item: LightGBM with log loss.

It can learn from exploration slots alone. Their items were picked at random with known probabilities, so what
they led to does not depend on what the ranking that served believed. Rows weigh the inverse of their
propensity: then every item of a pool counts alike.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from reelrank.ranking.progress import Progress, ignore_progress
from reelrank.ranking.rankers.calibration import Calibration
from reelrank.ranking.rankers.lambdarank import LambdaRank
from reelrank.ranking.training.dataset import TrainingSet
from reelrank.ranking.training.lambdarank import PATIENCE, ROUNDS, build_params
from reelrank.ranking.training.position_bias import MAX_WEIGHT
from reelrank.ranking.training.resampling import HandledRows

MIN_USED = 200
"""Used items of exploration slots that are the least to train on. A choice."""
RANKING_PARAMS = ("eval_at", "label_gain", "lambdarank_truncation_level")


def train_pointwise(
    fitting: HandledRows,
    held_out: TrainingSet,
    feature_names: Sequence[str],
    progress: Progress = ignore_progress,
) -> LambdaRank:
    """Trains until the weighted log loss of the held-out rows, corrected, stops improving.

    Its scores are log-odds of the rows it was fitted on; its calibration corrects them to those of the
    original rows by the odds factor, so that probabilities are comparable.
    """
    import lightgbm

    rows = fitting.rows
    data = lightgbm.Dataset(
        rows.features, rows.gains > 0, weight=rows.get_row_weights(), feature_name=list(feature_names)
    )
    validation = lightgbm.Dataset(
        held_out.features,
        held_out.gains > 0,
        weight=held_out.get_row_weights(),
        init_score=np.full(len(held_out.gains), fitting.intercept),
        reference=data,
    )
    booster = lightgbm.train(
        build_pointwise_params(feature_names),
        data,
        ROUNDS,
        valid_sets=[validation],
        callbacks=[
            lightgbm.early_stopping(PATIENCE, verbose=False),
            lambda env: progress("training the pointwise model", env.iteration + 1, ROUNDS),
        ],
    )
    text = booster.model_to_string(num_iteration=booster.best_iteration)
    model = LambdaRank("pointwise", feature_names, text)
    model.calibration = Calibration(slope=1.0, intercept=fitting.intercept)
    return model


def build_pointwise_params(feature_names: Sequence[str]) -> dict[str, Any]:
    """Returns the parameters of the ranker, with log loss in place of NDCG."""
    params = {
        name: value for name, value in build_params(feature_names).items() if name not in RANKING_PARAMS
    }
    return params | {"objective": "binary", "metric": "binary_logloss"}


def select_explored(rows: TrainingSet) -> TrainingSet:
    """Returns the rows of exploration slots, each a group, with inverse propensities as their weights.

    The smallest weight is 1 and the largest MAX_WEIGHT.
    """
    shown = rows.shown
    known = np.isfinite(shown.propensities) if shown is not None else np.zeros(len(rows.gains), bool)
    explored = np.flatnonzero(known)
    selected = rows.take(explored, np.ones(len(explored), np.int32))
    if shown is None or not len(explored):
        return selected
    weights = 1.0 / shown.propensities[explored].astype(np.float64)
    weights = np.minimum(weights / weights.min(), MAX_WEIGHT)
    return replace(selected, weights=weights.astype(np.float32), shown=None)


def train_on_explored(explored: TrainingSet, feature_names: Sequence[str]) -> LambdaRank:
    """Trains a pointwise model on rows of `select_explored`; a page has too few such slots to compare.

    Raises ValueError when fewer than MIN_USED of them were used.
    """
    if (used := count_used(explored)) < MIN_USED:
        raise ValueError(f"{used} used exploration slots are too few, {MIN_USED} are the least")
    earlier, later = explored.split()
    return train_pointwise(HandledRows(earlier, 1.0), later, feature_names)


def count_used(explored: TrainingSet) -> int:
    return int((explored.gains > 0).sum())
