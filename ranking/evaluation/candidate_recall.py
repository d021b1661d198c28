"""Candidate recall: what share of the wanted items each source finds before anything is ranked."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reelrank.ranking.evaluation.judged_request import JudgedRequest
from reelrank.ranking.evaluation.metrics import recall_at

DEPTHS = (100, 500, 1000)
ALL_SOURCES = "all together"


@dataclass(frozen=True, slots=True)
class CandidateRecall:
    """Means over the requests that asked the source and have something relevant.

    at: depth (see DEPTHS) to recall in the source's own order, for `all together` in fused order.
    total: recall of everything it found. only_here: share found by no other source.
    """

    source: str
    requests: int
    recall_by_depth: dict[int, float]
    total: float
    only_here: float


def measure_candidate_recall(judged_requests: Sequence[JudgedRequest]) -> list[CandidateRecall]:
    """A row a source in the order they are first met, then `all together`; none without requests."""
    found: dict[str, list[list[float]]] = {}
    together: list[list[float]] = []
    for request in judged_requests:
        if not len(request.relevant):
            continue
        gains = request.compute_candidate_gains()
        relevant = len(request.relevant)
        for source, row in _measure_sources(request, gains, relevant):
            found.setdefault(source, []).append(row)
        together.append([*_measure_recalls(gains, relevant), 0.0])
    if together:
        found[ALL_SOURCES] = together
    return [_average(source, rows) for source, rows in found.items()]


def _measure_sources(
    request: JudgedRequest, gains: NDArray[np.float32], relevant: int
) -> list[tuple[str, list[float]]]:
    ranks = request.candidates.ranks
    finders = (ranks >= 0).sum(axis=1)
    rows = []
    for column, source in enumerate(request.candidates.sources):
        found = np.flatnonzero(ranks[:, column] >= 0)
        in_order = found[np.argsort(ranks[found, column], kind="stable")]
        only_here = recall_at(gains[found[finders[found] == 1]], relevant, len(gains))
        rows.append((source, [*_measure_recalls(gains[in_order], relevant), only_here]))
    return rows


def _measure_recalls(ranked_gains: NDArray[np.float32], relevant: int) -> list[float]:
    return [recall_at(ranked_gains, relevant, k) for k in (*DEPTHS, len(ranked_gains))]


def _average(source: str, rows: list[list[float]]) -> CandidateRecall:
    *at, total, only_here = (float(mean) for mean in np.mean(rows, axis=0))
    return CandidateRecall(source, len(rows), dict(zip(DEPTHS, at, strict=True)), total, only_here)
