"""A pointwise model of the probability that a viewer wants an item: LightGBM with log loss."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from reelrank.ranking.progress import Progress, ignore_progress
from reelrank.ranking.rankers.calibration import Calibration
from reelrank.ranking.rankers.lambdarank import LambdaRank
from reelrank.ranking.training.dataset import TrainingSet
from reelrank.ranking.training.lambdarank import PATIENCE, ROUNDS, build_params
from reelrank.ranking.training.resampling import HandledRows

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
