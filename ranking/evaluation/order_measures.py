"""Measures judged requests at 10 in the order of a source, popularity, the fusion or a model."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reelrank.ranking.evaluation.judged_request import JudgedRequest
from reelrank.ranking.evaluation.metrics import ndcg_at, precision_at, recall_at
from reelrank.ranking.rankers.lambdarank import Ranker
from reelrank.ranking.retrieval.fusion import Candidates

MeasureMatrix = NDArray[np.float64]
"""[requests, 3]: NDCG, precision and recall at 10."""
K = 10
NDCG = 0


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
