"""Log loss: how far stated probabilities are from what happened."""

import numpy as np
from numpy.typing import NDArray

CLIP = 1e-7  # one certain and wrong probability costs 16, not infinity


def logloss(probabilities: NDArray[np.floating], gains: NDArray[np.floating]) -> float:
    """Mean of -log p where relevant (gain above 0) and -log(1 - p) where not; 0 for no items.

    probabilities [n] and gains [n] in any one order; probabilities are cut to CLIP..1 - CLIP.
    """
    if not len(gains):
        return 0.0
    p = np.clip(np.asarray(probabilities, np.float64), CLIP, 1 - CLIP)
    return float(-np.where(gains > 0, np.log(p), np.log1p(-p)).mean())
