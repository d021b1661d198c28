"""Recall@k: how much of what is relevant is in the first k places."""

import numpy as np
from numpy.typing import NDArray


def recall_at(ranked_gains: NDArray[np.floating], relevant: int, k: int) -> float:
    """Relevant items (gain above 0) in the first k places / `relevant`, all there are.

    Items that nobody retrieved count against it; a request with nothing relevant counts 0.
    """
    return float(np.count_nonzero(ranked_gains[:k] > 0)) / relevant if relevant else 0.0
