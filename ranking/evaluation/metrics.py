"""Ranking metrics. Gains come in ranked order; how ties are ordered is up to the caller."""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata


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


def precision_at(ranked_gains: NDArray[np.floating], k: int) -> float:
    """Relevant items (gain above 0) in the first k places / k.

    Fewer than k results still count as k places; a request with nothing relevant counts 0.
    """
    return float(np.count_nonzero(ranked_gains[:k] > 0)) / k


def recall_at(ranked_gains: NDArray[np.floating], relevant: int, k: int) -> float:
    """Relevant items (gain above 0) in the first k places / `relevant`, all there are.

    Items that nobody retrieved count against it; a request with nothing relevant counts 0.
    """
    return float(np.count_nonzero(ranked_gains[:k] > 0)) / relevant if relevant else 0.0


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


CLIP = 1e-7  # one certain and wrong probability costs 16, not infinity


def logloss(probabilities: NDArray[np.floating], gains: NDArray[np.floating]) -> float:
    """Mean of -log p where relevant (gain above 0) and -log(1 - p) where not; 0 for no items.

    probabilities [n] and gains [n] in any one order; probabilities are cut to CLIP..1 - CLIP.
    """
    if not len(gains):
        return 0.0
    p = np.clip(np.asarray(probabilities, np.float64), CLIP, 1 - CLIP)
    return float(-np.where(gains > 0, np.log(p), np.log1p(-p)).mean())
