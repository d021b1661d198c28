"""Ranking metrics of one request. `comparison.py` chooses which to report and over which systems.

Gains are in ranked order; the caller decides how to order ties.
"""

import numpy as np
from numpy.typing import NDArray


def dcg_at(ranked_gains: NDArray[np.floating], k: int) -> float:
    """Returns the sum over ranks i = 1..k of gain_i / log2(i + 1); 0 without results."""
    first = np.asarray(ranked_gains[:k], np.float64)
    return float((first / np.log2(np.arange(2, len(first) + 2))).sum())


def ndcg_at(ranked_gains: NDArray[np.floating], relevant_gains: NDArray[np.floating], k: int) -> float:
    """Returns DCG@k divided by the DCG@k of the ideal order of all relevant items, retrieved or not; 0 to 1.

    Gains are linear, as in trec_eval. A request without relevant items counts 0, as in ir_measures.
    Source: Järvelin & Kekäläinen 2002.
    """
    ideal = dcg_at(np.sort(relevant_gains)[::-1], k)
    return dcg_at(ranked_gains, k) / ideal if ideal > 0 else 0.0


def compute_ndcg_by_group(
    scores: NDArray[np.floating], gains: NDArray[np.integer], groups: NDArray[np.int32], k: int
) -> NDArray[np.float64]:
    """Returns NDCG@k [g] of the order by score of each group; 0 without a gain. See `ndcg_at`.

    scores, gains [rows]: of one group after another; groups [g]: rows of each. Ties keep the given order.
    """
    best = _compute_dcg_by_group(gains.astype(np.float64), gains, groups, k)
    found = _compute_dcg_by_group(scores, gains, groups, k)
    return np.divide(found, best, out=np.zeros(len(best)), where=best > 0)


def _compute_dcg_by_group(
    scores: NDArray[np.floating], gains: NDArray[np.integer], groups: NDArray[np.int32], k: int
) -> NDArray[np.float64]:
    group = np.repeat(np.arange(len(groups)), groups)
    order = np.lexsort((-np.asarray(scores, np.float64), group))
    rank = np.arange(len(group)) - np.repeat(np.cumsum(groups) - groups, groups)
    discounted = np.where(rank < k, gains[order] / np.log2(rank + 2.0), 0.0)
    return np.asarray(np.bincount(group, discounted, minlength=len(groups)), np.float64)


def precision_at(ranked_gains: NDArray[np.floating], k: int) -> float:
    """Returns the number of relevant items (gain above 0) in the first k results, divided by k.

    The divisor is k even if there are fewer results. A request without relevant items counts 0.
    """
    return float(np.count_nonzero(ranked_gains[:k] > 0)) / k


def recall_at(ranked_gains: NDArray[np.floating], relevant: int, k: int) -> float:
    """Returns the number of relevant items (gain above 0) in the first k results, divided by `relevant`.

    relevant: number of all relevant items, retrieved or not. A request without relevant items counts 0.
    """
    return float(np.count_nonzero(ranked_gains[:k] > 0)) / relevant if relevant else 0.0


def pairwise_loss(scores: NDArray[np.floating], gains: NDArray[np.floating]) -> float:
    """Returns the share of wrongly ordered (relevant, irrelevant) pairs, which is 1 - AUC; a tie counts half.

    scores [n] and gains [n] are in the same order; an item with a gain above 0 is relevant. It is
    computed from ranks, as the Mann-Whitney U statistic. Without such pairs the loss is 0.
    """
    relevant = gains > 0
    positives = int(np.count_nonzero(relevant))
    pairs = positives * (len(gains) - positives)
    if not pairs:
        return 0.0
    from scipy.stats import rankdata  # takes a second to import; a service reads reports and measures nothing

    ranks = rankdata(scores, method="average")
    wins = float(ranks[relevant].sum()) - positives * (positives + 1) / 2
    return 1.0 - wins / pairs


CLIP = 1e-7
"""Bounds the loss of a wrong probability of 0 or 1 at 16 instead of infinity."""


def logloss(probabilities: NDArray[np.floating], gains: NDArray[np.floating]) -> float:
    """Returns the mean of -log p of relevant items (gain above 0) and -log(1 - p) of others; 0 without items.

    probabilities [n] and gains [n] are in the same order; probabilities are clipped to CLIP..1 - CLIP.
    """
    if not len(gains):
        return 0.0
    p = np.clip(np.asarray(probabilities, np.float64), CLIP, 1 - CLIP)
    return float(-np.where(gains > 0, np.log(p), np.log1p(-p)).mean())


CALIBRATION_BINS = 15
"""As in Guo et al. 2017."""


def normalized_cross_entropy(probabilities: NDArray[np.floating], gains: NDArray[np.floating]) -> float:
    """Returns `logloss` divided by that of the share of relevant items, told for each (He et al. 2014).

    Below 1 the probabilities tell more than the share does. NaN where all items or none are relevant.
    """
    share = np.full(len(gains), np.count_nonzero(gains > 0) / len(gains)) if len(gains) else np.zeros(0)
    entropy = logloss(share, gains)
    return logloss(probabilities, gains) / entropy if 0 < share.sum() < len(gains) else float("nan")


def expected_calibration_error(
    probabilities: NDArray[np.floating], gains: NDArray[np.floating], bins: int = CALIBRATION_BINS
) -> float:
    """Returns the mean gap between the stated and the observed share of relevant items; 0 without items.

    Over bins of equally many items (Naeini et al. 2015, with the bins of Nguyen & O'Connor 2015): most
    probabilities of a watch are near 0, where bins of equal width would put them all into one.
    """
    if not len(gains):
        return 0.0
    bin_of_item = np.searchsorted(find_bin_edges(probabilities, bins), probabilities, side="right")
    gaps = np.bincount(bin_of_item, np.asarray(probabilities, np.float64) - (gains > 0), bins)
    return float(np.abs(gaps).sum() / len(gains))


def find_bin_edges(probabilities: NDArray[np.floating], bins: int = CALIBRATION_BINS) -> NDArray[np.float64]:
    """Returns the inner edges [bins - 1] of bins that hold equally many probabilities."""
    return np.quantile(np.asarray(probabilities, np.float64), np.linspace(0, 1, bins + 1)[1:-1])
