"""Calibration: a ranker's scores as probabilities that the viewer wants the item."""

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict


class Calibration(BaseModel):
    """probability = 1 / (1 + exp(-(slope x score + intercept))) (Platt 1999)."""

    model_config = ConfigDict(frozen=True)

    slope: float
    intercept: float

    def to_probabilities(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scores [n] to probabilities [n]; the order stays, for the slope is not negative."""
        steps = np.clip(self.slope * scores.astype(np.float64) + self.intercept, -500, 500)
        return (1 / (1 + np.exp(-steps))).astype(np.float32)


def fit_calibration(
    scores: NDArray[np.float32], relevant: NDArray[np.bool_], weights: NDArray[np.float32]
) -> Calibration | None:
    """Fits the calibration most likely to give `wanted`; None unless some are wanted and some are not.

    weights [n]: how many candidates each row stands for. Scores that say nothing, or that put what is
    wanted last, give the same probability to all.
    """
    if relevant.all() or not relevant.any():
        return None
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=np.inf).fit(scores[:, None].astype(np.float64), relevant, weights)
    slope, intercept = float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
    if slope >= 0:
        return Calibration(slope=slope, intercept=intercept)
    share = float(np.average(relevant, weights=weights))
    return Calibration(slope=0.0, intercept=float(np.log(share / (1 - share))))
