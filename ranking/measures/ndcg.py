"""nDCG@k: how near the first k places are to the best order there could be."""

import numpy as np
from numpy.typing import NDArray


def dcg_at(ranked_gains: NDArray[np.floating], k: int) -> float:
    """sum over ranks i = 1..k of gain_i / log2(i + 1); 0 for no results."""
    first = np.asarray(ranked_gains[:k], np.float64)
    return float((first / np.log2(np.arange(2, len(first) + 2))).sum())


def ndcg_at(ranked_gains: NDArray[np.floating], relevant_gains: NDArray[np.floating], k: int) -> float:
    """DCG@k over the DCG@k of the best order of all relevant items, retrieved or not; 0 to 1.

    Gains are linear, as in trec_eval. A request with nothing relevant counts 0, as in ir_measures.
    Järvelin & Kekäläinen 2002.
    """
    ideal = dcg_at(np.sort(relevant_gains)[::-1], k)
    return dcg_at(ranked_gains, k) / ideal if ideal > 0 else 0.0
