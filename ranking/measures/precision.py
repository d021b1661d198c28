"""Precision@k: how many of the first k places hold something relevant."""

import numpy as np
from numpy.typing import NDArray


def precision_at(ranked_gains: NDArray[np.floating], k: int) -> float:
    """Relevant items (gain above 0) in the first k places / k.

    Fewer than k results still count as k places; a request with nothing relevant counts 0.
    """
    return float(np.count_nonzero(ranked_gains[:k] > 0)) / k
