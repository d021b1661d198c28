"""Reciprocal rank: how far down the first relevant item is."""

import numpy as np
from numpy.typing import NDArray


def reciprocal_rank(ranked_gains: NDArray[np.floating]) -> float:
    """1 / rank, from 1, of the first item with gain above 0; 0 when there is none."""
    relevant = np.flatnonzero(ranked_gains > 0)
    return 1.0 / (int(relevant[0]) + 1) if len(relevant) else 0.0
