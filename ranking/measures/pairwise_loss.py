"""Pairwise loss: how often something irrelevant is scored above something relevant."""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata


def pairwise_loss(scores: NDArray[np.floating], gains: NDArray[np.floating]) -> float:
    """Wrongly ordered (relevant, irrelevant) pairs / all such pairs; a tie counts half. 1 - AUC.

    scores [n] and gains [n] in any one order; relevant is a gain above 0. Computed from ranks, as
    the Mann-Whitney U statistic. Without such a pair the loss is 0.
    """
    relevant = gains > 0
    positives = int(np.count_nonzero(relevant))
    pairs = positives * (len(gains) - positives)
    if not pairs:
        return 0.0
    ranks = rankdata(scores, method="average")
    wins = float(ranks[relevant].sum()) - positives * (positives + 1) / 2
    return 1.0 - wins / pairs
