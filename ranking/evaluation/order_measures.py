"""Measures judged requests at 10 in the order of a source, popularity, the fusion or a model, and decides by
that whether a model may order the pages of viewers without a past."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reelrank.ranking.evaluation.intervals import bootstrap_intervals
from reelrank.ranking.evaluation.judged_request import JudgedRequest, name_viewer
from reelrank.ranking.evaluation.metrics import ndcg_at, precision_at, recall_at
from reelrank.ranking.rankers.lambdarank import Ranker
from reelrank.ranking.rankers.manifest import ColdStart, MetricEstimate
from reelrank.ranking.retrieval.fusion import Candidates

MeasureMatrix = NDArray[np.float64]
"""[requests, 3]: NDCG, precision and recall at 10."""
K = 10
NDCG = 0
MIN_COLD_VIEWERS = 30
"""Viewers without a past that a decision needs, as many as the gate judges on: percentile intervals of a few
viewers are too narrow."""


def compute_ndcg(found: NDArray[np.bool_], relevant: int) -> float:
    """Returns NDCG@10 of a list in which every relevant item gains 1. found: which positions are relevant."""
    return ndcg_at(found.astype(np.float32), np.ones(relevant, np.float32), K)


def measure_source_order(judged: Sequence[JudgedRequest], source: str) -> MeasureMatrix:
    """Measures the order of a source; items that it did not find are not retrieved."""
    return np.array([_measure(j, _order_by_source(j.candidates, source)) for j in judged])


def measure_popular_order(judged: Sequence[JudgedRequest]) -> MeasureMatrix:
    """Measures the order by popularity."""
    return np.array([_measure(j, np.argsort(-j.popularity, kind="stable")) for j in judged])


def measure_fused_order(judged: Sequence[JudgedRequest]) -> MeasureMatrix:
    """Measures the order of the fused candidates."""
    return np.array([_measure(j, np.arange(len(j.candidates))) for j in judged])


def measure_model_order(judged: Sequence[JudgedRequest], ranker: Ranker) -> MeasureMatrix:
    """Measures the order of the scores of a ranker; ties keep the fused order."""
    return np.array([_measure(j, np.argsort(-ranker.score(j.features), kind="stable")) for j in judged])


def decide_cold_start(judged: Sequence[JudgedRequest]) -> ColdStart:
    """Decides how pages of viewers without a past are ordered, from such pages as a model orders them.

    By popularity, unless the model is certainly better: the 95 % interval of the paired difference, clustered
    by viewer, is above 0 on MIN_COLD_VIEWERS viewers or more.
    """
    if not judged:
        return ColdStart()
    ordered = np.array([_measure(j, j.order) for j in judged])
    gains = (ordered - measure_popular_order(judged))[:, [NDCG]]
    viewers = np.array([name_viewer(request, row) for row, request in enumerate(judged)])
    difference, count = bootstrap_intervals(gains, groups=viewers)[0], len(np.unique(viewers))
    return ColdStart(
        order="model" if difference.low > 0 and count >= MIN_COLD_VIEWERS else "popularity",
        pages=len(judged),
        viewers=count,
        difference=MetricEstimate(value=difference.mean, low=difference.low, high=difference.high),
    )


def describe_cold_start(decided: ColdStart | None) -> str:
    """Returns in a sentence how home pages of viewers without a past are ordered, and why."""
    order = "popularity" if decided is None else decided.order
    sentence = f"home pages of viewers without a past are ordered by {order}"
    if decided is None or decided.difference is None:
        return f"{sentence}: the model was compared with popularity on no such page"
    found = decided.difference
    return (
        f"{sentence}: the model had {found.value:+.4f} [{found.low:+.4f}, {found.high:+.4f}] NDCG@10 more on "
        f"{decided.pages:,} such pages of {decided.viewers:,} viewers before the evaluation; it orders them "
        f"where that is certainly above 0 on {MIN_COLD_VIEWERS} viewers"
    )


def _order_by_source(candidates: Candidates, source: str) -> NDArray[np.intp]:
    """Returns the positions of the candidates that a source found, in the order of that source."""
    ranks = candidates.get_source_ranks(source)
    found = np.flatnonzero(ranks >= 0)
    return found[np.argsort(ranks[found], kind="stable")]


def _measure(judged: JudgedRequest, order: NDArray[np.intp]) -> tuple[float, float, float]:
    ranked = judged.compute_candidate_gains()[order]
    return (
        ndcg_at(ranked, judged.gains, K),
        precision_at(ranked, K),
        recall_at(ranked, len(judged.relevant), K),
    )
