"""Training LambdaRank by LightGBM (Burges 2010; Ke et al. 2017)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ranking.progress import Progress, silent
from ranking.training_set import TrainingSet

ROUNDS = 300
PATIENCE = 40
VALIDATION_SHARE = 0.85
"""The last 15 % of the training requests decide when to stop; evaluation never does."""

PARAMS: dict[str, Any] = {
    "objective": "lambdarank",
    "metric": "ndcg",
    "eval_at": [10],
    "lambdarank_truncation_level": 20,
    "learning_rate": 0.05,
    "num_leaves": 31,
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
class Trained:
    """model_text: LightGBM's own format; gains: feature to its total split gain."""

    model_text: str
    gains: dict[str, float]
    rounds: int
    params: dict[str, Any]


def train_ranker(
    training: TrainingSet,
    names: Sequence[str],
    progress: Progress = silent,
    params: Mapping[str, Any] | None = None,
) -> Trained:
    """Stops when NDCG@10 on the later part of the training requests no longer grows.

    params: LightGBM parameters in place of some of PARAMS.
    """
    import lightgbm

    used = {**PARAMS, **(params or {})}
    earlier, later = training.split(VALIDATION_SHARE)
    data = lightgbm.Dataset(earlier.features, earlier.gains, group=earlier.groups, feature_name=list(names))
    held = lightgbm.Dataset(later.features, later.gains, group=later.groups, reference=data)
    booster = lightgbm.train(
        used,
        data,
        ROUNDS,
        valid_sets=[held],
        callbacks=[
            lightgbm.early_stopping(PATIENCE, verbose=False),
            lambda env: progress("training LambdaRank", env.iteration + 1, ROUNDS),
        ],
    )
    progress("training LambdaRank", ROUNDS, ROUNDS)
    gains = dict(zip(names, booster.feature_importance("gain").tolist(), strict=True))
    text = booster.model_to_string(num_iteration=booster.best_iteration)
    return Trained(text, gains, booster.best_iteration, used)
