"""Blends a LambdaRank model with the pointwise model beside it, by named weights.

Calibrations turn the scores of both into log-odds of a watch, so they have one scale. The blend is the
weighted mean of these, a logarithmic opinion pool (Genest & Zidek 1986).
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from reelrank.ranking.rankers.calibration import Calibration
from reelrank.ranking.rankers.lambdarank import LambdaRank, Ranker


@dataclass(frozen=True, slots=True)
class BlendWeights:
    """How much each model counts, 0 or more. Only their ratio matters; pointwise 0 turns blending off."""

    lambdarank: float = 1.0
    pointwise: float = 0.0


NOT_BLENDED = BlendWeights()


@runtime_checkable
class BlendedElsewhere(Protocol):
    """A ranker that leaves blending to where its model is."""

    def with_weights(self, weights: BlendWeights) -> Ranker: ...


class BlendedRanker:
    """Two models that read the same features. Its scores are log-odds; its name is that of the first one.

    Raises ValueError when a model has no calibration.
    """

    calibration = Calibration(slope=1.0, intercept=0.0)

    def __init__(self, order: LambdaRank, probability: LambdaRank, weights: BlendWeights) -> None:
        total = weights.lambdarank + weights.pointwise
        self.name, self.feature_names = order.name, order.feature_names
        self.embeddings_fingerprint = order.embeddings_fingerprint
        self.ranks_cold_start = order.ranks_cold_start
        self._models = [
            (model, share / total, _get_calibration(model))
            for model, share in ((order, weights.lambdarank), (probability, weights.pointwise))
            if share > 0
        ]

    def score(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        blended = np.zeros(len(features))
        for model, share, calibration in self._models:
            blended += share * (calibration.slope * model.score(features) + calibration.intercept)
        return blended.astype(np.float32)

    def compute_contributions(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        blended = np.zeros((len(features), len(self.feature_names) + 1))
        for model, share, calibration in self._models:
            blended += share * calibration.slope * model.compute_contributions(features)
            blended[:, -1] += share * calibration.intercept
        return blended.astype(np.float32)


def blend_rankers(ranker: Ranker, weights: BlendWeights) -> Ranker:
    """Returns the ranker with these weights; itself when blending is off or it has no pointwise model."""
    if not weights.pointwise:
        return ranker
    if isinstance(ranker, BlendedElsewhere):
        return ranker.with_weights(weights)
    if not isinstance(ranker, LambdaRank) or ranker.pointwise is None or ranker.calibration is None:
        return ranker
    return BlendedRanker(ranker, ranker.pointwise, weights)


def _get_calibration(model: LambdaRank) -> Calibration:
    if model.calibration is None:
        raise ValueError(f"model {model.name} has no calibration, so it cannot be blended")
    return model.calibration
