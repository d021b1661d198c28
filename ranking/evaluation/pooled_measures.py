"""Measures of whole lists of scored candidates, pooled over requests, with intervals that resample viewers.

The order is measured by request and averaged; the probability is measured over all rows together, because
few requests have enough rows for a calibration error of their own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reelrank.ranking.evaluation.intervals import Interval, summarize_resamples, total_resamples
from reelrank.ranking.evaluation.metrics import (
    CALIBRATION_BINS,
    CLIP,
    find_bin_edges,
    ndcg_at,
    precision_at,
    recall_at,
)

ORDER_MEASURES = ("ndcg@10", "precision@10", "recall@100")
PROBABILITY_MEASURES = ("logloss", "nce", "ece")
POOLED_MEASURES = (*ORDER_MEASURES, *PROBABILITY_MEASURES)
HIGHER_IS_BETTER = frozenset(ORDER_MEASURES)
_FIXED = 6
"""Totals that are not of a bin: requests, the three order measures, rows that are relevant, and loss."""


@dataclass(frozen=True, slots=True, eq=False)
class ScoredRequest:
    """One request with n candidates, in the order of the fused list.

    viewer: whose request it is; each anonymous request needs a name of its own. gains [n].
    relevant_gains [r]: of all relevant items, found or not. scores [n]: their order ranks. probabilities [n].
    """

    viewer: str
    gains: NDArray[np.float32]
    relevant_gains: NDArray[np.float32]
    scores: NDArray[np.float32]
    probabilities: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class PooledMeasures:
    """The measures of one system, and those of resamples of viewers: resampled [RESAMPLES, measures].

    Systems that were measured on the same requests share their resamples, so differences are paired.
    """

    values: NDArray[np.float64]
    resampled: NDArray[np.float64]

    def get_interval(self, measure: str) -> Interval:
        column = POOLED_MEASURES.index(measure)
        return summarize_resamples(float(self.values[column]), self.resampled[:, column])

    def compare(self, other: "PooledMeasures", measure: str) -> Interval:
        """Returns the interval of this system's measure minus the other's, paired by resample."""
        column = POOLED_MEASURES.index(measure)
        mean = float(self.values[column] - other.values[column])
        return summarize_resamples(mean, self.resampled[:, column] - other.resampled[:, column])


def measure_pooled(requests: Sequence[ScoredRequest], seed: int = 0) -> PooledMeasures:
    """Measures POOLED_MEASURES over requests. Raises ValueError when there is none with candidates."""
    usable = [request for request in requests if len(request.gains)]
    if not usable:
        raise ValueError("no request has candidates, so there is nothing to measure; load more events")
    edges = find_bin_edges(np.concatenate([request.probabilities for request in usable]))
    sums = np.array([_sum_request(request, edges) for request in usable])
    viewers = np.array([request.viewer for request in usable])
    whole = _measure_totals(sums.sum(axis=0)[None, :])[0]
    return PooledMeasures(whole, _measure_totals(total_resamples(sums, viewers, seed)))


def _sum_request(request: ScoredRequest, edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns what `_measure_totals` needs of a request; sums over requests stay what it needs."""
    ranked = request.gains[np.argsort(-request.scores, kind="stable")]
    relevant = request.gains > 0
    p = np.clip(request.probabilities.astype(np.float64), CLIP, 1 - CLIP)
    loss = -np.where(relevant, np.log(p), np.log1p(-p)).sum()
    bins = np.searchsorted(edges, request.probabilities.astype(np.float64), side="right")
    counts, expected, observed = (
        np.bincount(bins, weights, CALIBRATION_BINS) for weights in (None, p, relevant.astype(np.float64))
    )
    order = (
        ndcg_at(ranked, request.relevant_gains, 10),
        precision_at(ranked, 10),
        recall_at(ranked, len(request.relevant_gains), 100),
    )
    return np.concatenate([[1.0, *order, relevant.sum(), loss], counts, expected - observed])


def _measure_totals(totals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the measures [n, measures] of totals [n, k]."""
    counts = totals[:, _FIXED : _FIXED + CALIBRATION_BINS]
    gaps = np.abs(totals[:, _FIXED + CALIBRATION_BINS :]).sum(axis=1)
    rows = counts.sum(axis=1)
    logloss, base = totals[:, 5] / rows, totals[:, 4] / rows
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = -(base * np.log(base) + (1 - base) * np.log1p(-base))
        nce = logloss / entropy
    return np.column_stack([totals[:, 1:4] / totals[:, :1], logloss, nce, gaps / rows])
