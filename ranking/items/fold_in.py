"""Folding in: the vector of a viewer from their recent watches, without retraining."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reelrank.index_mappings.item import FloatVector


@dataclass(frozen=True, slots=True, eq=False)
class FoldIn:
    """Parameters of the factorisation's least-squares step (Hu, Koren & Volinsky 2008, eq. 4).

    gram [f, f] float32: Y'Y of the item factors, f = 63. scale: length of the longest factor vector, by
    which the stored item vectors were divided.
    """

    gram: NDArray[np.float32]
    regularization: float
    alpha: float
    scale: float


def fold_in(
    parameters: FoldIn, item_vectors: NDArray[np.float32], weights: NDArray[np.float32]
) -> FloatVector:
    """Computes a viewer's unit vector [f + 1], last coordinate 0, from stored item vectors [w, f + 1].

    weights [w]: watched share of each item, 0 to 1. Returns zeros when nothing was watched.
    """
    factors = item_vectors[:, :-1].astype(np.float64) * parameters.scale
    confidence = parameters.alpha * weights.astype(np.float64)
    left = parameters.gram + factors.T @ (confidence[:, None] * factors)
    left += parameters.regularization * np.eye(len(left))
    solved = np.linalg.solve(left, factors.T @ (1.0 + confidence))
    length = float(np.linalg.norm(solved))
    unit = solved / length if length > 0 else solved
    return np.append(unit, 0.0).astype(np.float32)
