"""Folding in: a viewer's vector from what they just watched, without training again."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reelrank.index_mappings.item import FloatVector


@dataclass(frozen=True, slots=True, eq=False)
class FoldIn:
    """What the least-squares step of the factorisation needs (Hu, Koren & Volinsky 2008, eq. 4).

    gram [f, f] float32: Y'Y of the item factors, f = 63. scale: the length that stored item vectors
    were divided by, the longest factor vector.
    """

    gram: NDArray[np.float32]
    regularization: float
    alpha: float
    scale: float


def fold_in(
    parameters: FoldIn, item_vectors: NDArray[np.float32], weights: NDArray[np.float32]
) -> FloatVector:
    """The viewer's unit vector [f + 1], last coordinate 0, from watched items' stored rows [w, f + 1].

    weights [w]: how much of each was watched, 0 to 1. Zeros when nothing was watched.
    """
    factors = item_vectors[:, :-1].astype(np.float64) * parameters.scale
    confidence = parameters.alpha * weights.astype(np.float64)
    left = parameters.gram + factors.T @ (confidence[:, None] * factors)
    left += parameters.regularization * np.eye(len(left))
    solved = np.linalg.solve(left, factors.T @ (1.0 + confidence))
    length = float(np.linalg.norm(solved))
    unit = solved / length if length > 0 else solved
    return np.append(unit, 0.0).astype(np.float32)
