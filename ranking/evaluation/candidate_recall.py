"""Candidate recall: the share of relevant items that each source finds, before ranking."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reelrank.ranking.evaluation.judged_request import SIMULATED_SEARCH, JudgedRequest
from reelrank.ranking.evaluation.metrics import recall_at

DEPTHS = (100, 500, 1000)
ALL_SOURCES = "all sources"


@dataclass(frozen=True, slots=True)
class CandidateRecall:
    """Means over the requests that used the source and have a relevant item.

    recall_by_depth: recall at DEPTHS in the source's own order, for ALL_SOURCES in the fused order.
    total: recall of all its candidates. only_here: share of relevant items that no other source found.
    """

    source: str
    requests: int
    recall_by_depth: dict[int, float]
    total: float
    only_here: float


def measure_candidate_recall(judged_requests: Sequence[JudgedRequest]) -> list[CandidateRecall]:
    """Measures each source, in the order of first use, then ALL_SOURCES; [] without relevant items.

    The rows of simulated searches are apart, after the others.
    """
    simulated = [request for request in judged_requests if request.kind == SIMULATED_SEARCH]
    others = [request for request in judged_requests if request.kind != SIMULATED_SEARCH]
    made_up = [
        replace(row, source=f"{SIMULATED_SEARCH}: {row.source}") for row in _measure_requests(simulated)
    ]
    return [*_measure_requests(others), *made_up]


def _measure_requests(judged_requests: Sequence[JudgedRequest]) -> list[CandidateRecall]:
    by_source: dict[str, list[list[float]]] = {}
    combined: list[list[float]] = []
    for request in judged_requests:
        if not len(request.relevant):
            continue
        gains = request.compute_candidate_gains()
        relevant = len(request.relevant)
        for source, row in _measure_sources(request, gains, relevant):
            by_source.setdefault(source, []).append(row)
        combined.append([*_measure_recalls(gains, relevant), 0.0])
    if combined:
        by_source[ALL_SOURCES] = combined
    return [_average(source, rows) for source, rows in by_source.items()]


def _measure_sources(
    request: JudgedRequest, gains: NDArray[np.float32], relevant: int
) -> list[tuple[str, list[float]]]:
    ranks = request.candidates.ranks
    source_counts = (ranks >= 0).sum(axis=1)
    rows = []
    for column, source in enumerate(request.candidates.sources):
        found = np.flatnonzero(ranks[:, column] >= 0)
        in_order = found[np.argsort(ranks[found, column], kind="stable")]
        only_here = recall_at(gains[found[source_counts[found] == 1]], relevant, len(gains))
        rows.append((source, [*_measure_recalls(gains[in_order], relevant), only_here]))
    return rows


def _measure_recalls(ranked_gains: NDArray[np.float32], relevant: int) -> list[float]:
    return [recall_at(ranked_gains, relevant, k) for k in (*DEPTHS, len(ranked_gains))]


def _average(source: str, rows: list[list[float]]) -> CandidateRecall:
    *recalls, total, only_here = (float(mean) for mean in np.mean(rows, axis=0))
    return CandidateRecall(source, len(rows), dict(zip(DEPTHS, recalls, strict=True)), total, only_here)
