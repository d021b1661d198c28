"""Rankers turn feature rows into scores: the fused order and LightGBM models.

LightGBM is imported inside functions: a booster must be created after the fork, never in gunicorn's parent.
"""

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from reelrank.ranking.rankers.calibration import Calibration
from reelrank.ranking.rankers.compiled_trees import CompiledTrees


class Ranker(Protocol):
    """score(features [n, F] float32, NaN = missing) gives [n] float32, higher is better.

    contributions(features [k, F]) gives [k, F + 1] float32: what each feature added to the score,
    and in the last column the score of a row of which nothing is known.
    """

    @property
    def name(self) -> str: ...

    @property
    def feature_names(self) -> tuple[str, ...]: ...

    def score(self, features: NDArray[np.float32]) -> NDArray[np.float32]: ...

    def compute_contributions(self, features: NDArray[np.float32]) -> NDArray[np.float32]: ...


class FusedOrder:
    """Keeps the order candidates come in, which is that of their fused ranks; reads no features."""

    name = "engine-order"
    feature_names: tuple[str, ...] = ()

    def score(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.arange(0, -len(features), -1, dtype=np.float32)

    def compute_contributions(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.zeros((len(features), features.shape[1] + 1), np.float32)


class LambdaRank:
    """A LightGBM model. Raises ValueError when the text is no model of one score for these features.

    compiled_trees: replaces Booster.predict after it gave the same scores of the golden rows; not for rows
    with infinite values, where lignum takes the largest threshold for infinity (looking for them takes 24 us
    in 1,000 rows with 120 features).
    calibration: from the manifest. pointwise: the model of the probability that was trained beside this one,
    which `blending.py` blends with it. ranks_cold_start: proven to rank the pages of viewers without a past
    better than popularity.
    """

    compiled_trees: CompiledTrees | None = None
    calibration: Calibration | None = None
    pointwise: "LambdaRank | None" = None
    embeddings_fingerprint: str = ""
    ranks_cold_start: bool = False

    def __init__(self, name: str, feature_names: Sequence[str], model_text: str) -> None:
        self.name = name
        self.feature_names = tuple(feature_names)
        self.booster = _load_booster(model_text)
        columns = self.booster.num_feature()
        if columns != len(self.feature_names):
            raise ValueError(f"the model file has {columns} features, its manifest {len(self.feature_names)}")
        if self.booster.num_model_per_iteration() != 1:
            raise ValueError("the model file gives several scores a row, a ranker gives one")

    def score(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        if not len(features):
            return np.zeros(0, np.float32)
        if self.compiled_trees is not None and not np.isinf(features).any():
            return self.compiled_trees.score(features)
        return np.asarray(self.booster.predict(features, raw_score=True, num_threads=1), np.float32)

    @property
    def scorer(self) -> str:
        """Returns what computes the scores, in words."""
        return self.compiled_trees.name if self.compiled_trees is not None else "LightGBM"

    def compute_contributions(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        if not len(features):
            return np.zeros((0, len(self.feature_names) + 1), np.float32)
        return np.asarray(self.booster.predict(features, pred_contrib=True, num_threads=1), np.float32)


def import_lightgbm_alone() -> None:
    """Imports LightGBM as where scikit-learn is not installed: a service scores arrays.

    LightGBM imports it, and with it most of SciPy, for another interface, which takes 1 CPU s in each worker.
    Call it before other threads import anything.
    """
    is_blocked = "sklearn" not in sys.modules
    if is_blocked:
        sys.modules["sklearn"] = None  # type: ignore[assignment]  # makes its import fail
    try:
        import_module("lightgbm")
    finally:
        if is_blocked:
            del sys.modules["sklearn"]


def _load_booster(model_text: str) -> Any:
    import lightgbm

    try:
        return lightgbm.Booster(model_str=model_text)
    except lightgbm.basic.LightGBMError as error:
        raise ValueError(f"LightGBM cannot read it ({error})") from error


def get_calibration(ranker: Ranker) -> Calibration | None:
    """Returns the calibration of a model; None for engine order and for a model without one."""
    calibration: Calibration | None = getattr(ranker, "calibration", None)
    return calibration


def get_probability_function(ranker: Ranker) -> Callable[[NDArray[np.float32]], NDArray[np.float32]] | None:
    """Returns what turns scores [n] of the ranker into probabilities [n] that the viewer wants the item.

    None for engine order and for a model without a calibration.
    """
    calibration = get_calibration(ranker)
    return None if calibration is None else calibration.to_probabilities


def get_embeddings_fingerprint(ranker: Ranker) -> str:
    """Returns the embeddings a ranker was trained with; empty when it may rank over any."""
    return str(getattr(ranker, "embeddings_fingerprint", ""))


def ranks_cold_start(ranker: Ranker) -> bool:
    """Returns whether the pages of viewers without a past may be in the order of this ranker."""
    return bool(getattr(ranker, "ranks_cold_start", False))


def explain_embeddings_mismatch(ranker: Ranker, embeddings: str) -> str:
    """Returns why a model must not rank over these embeddings; empty when it may.

    A model without a fingerprint may rank over any: an earlier build made it, or it was trained elsewhere.
    """
    trained_with = get_embeddings_fingerprint(ranker)
    if not trained_with or trained_with == embeddings:
        return ""
    return (
        f"model {ranker.name} was trained with embeddings {trained_with}, the index version "
        f"has {embeddings or 'others, without a fingerprint'}; promote the release that has both "
        "(reelrank releases list), or run: reelrank train"
    )
