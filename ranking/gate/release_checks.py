"""Checks of the release itself: its vectors, its size and speed, known titles, and drift since it learned."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reelrank.ranking.drift.report import Action, DriftReport
from reelrank.ranking.evaluation.known_items import KnownItemResult
from reelrank.ranking.gate.limits import GateLimits
from reelrank.ranking.rankers.lambdarank import Ranker
from reelrank.ranking.registry.decisions import Check

Vectors = Mapping[str, NDArray[np.floating]]
"""Item id to a vector [d]."""
REPEATS = 5


def check_vectors(learned: Vectors, indexed: Vectors, limits: GateLimits) -> Check:
    """Compares a sample of vectors as they were learned with those that the index version has."""
    cosines = [
        _compute_cosine(vector, indexed[item]) if item in indexed else 0.0 for item, vector in learned.items()
    ]
    share = float(np.mean([cosine >= limits.vector_cosine for cosine in cosines])) if cosines else 1.0
    lowest = min(cosines, default=1.0)
    passed = share >= 1.0
    return Check(
        name="vectors",
        passed=passed,
        sentence=f"the index version has the {len(learned)} learned vectors that were compared"
        if passed
        else f"the index version has other vectors than those it learned with, for {1 - share:.0%} of "
        f"{len(learned)} items: they are stale",
        figures={"compared": float(len(learned)), "equal_share": share, "lowest_cosine": lowest},
        thresholds={"cosine": limits.vector_cosine},
    )


def check_size(model_file: Path, limits: GateLimits) -> Check:
    """Compares the size of the model file with the limit."""
    size = model_file.stat().st_size
    passed = size <= limits.model_bytes
    return Check(
        name="size",
        passed=passed,
        sentence=f"its model file has {size / 1e6:.1f} MB"
        + ("" if passed else f", more than the {limits.model_bytes / 1e6:.0f} MB that are allowed"),
        figures={"bytes": float(size)},
        thresholds={"bytes": float(limits.model_bytes)},
    )


def check_latency(ranker: Ranker, features: NDArray[np.float32], limits: GateLimits) -> Check:
    """Measures the CPU time to score as many rows as a page has candidates; the least of REPEATS."""
    rows = np.resize(features, (limits.score_rows, features.shape[1])) if len(features) else features
    times = []
    for _ in range(REPEATS):
        started = time.thread_time()
        ranker.score(rows)
        times.append(1000 * (time.thread_time() - started))
    fastest = min(times)
    passed = fastest <= limits.score_ms
    return Check(
        name="latency",
        passed=passed,
        sentence=f"it scores {len(rows):,} rows in {fastest:.1f} ms of CPU time"
        + ("" if passed else f", more than {limits.score_ms:.0f} ms"),
        figures={"ms": fastest, "rows": float(len(rows))},
        thresholds={"ms": limits.score_ms},
    )


def check_known_items(results: Sequence[KnownItemResult], served: str, limits: GateLimits) -> Check:
    """Compares searches for known titles with BM25 alone, kind by kind; the worst kind decides."""
    compared = [result for result in results if result.system == served and result.difference is not None]
    if not compared:
        return Check(
            name="known items", passed=True, sentence="known titles were not searched", is_blocking=False
        )
    worst = min(compared, key=lambda result: result.difference.high if result.difference else 0.0)
    difference = worst.difference
    assert difference is not None
    passed = difference.high >= 0 or difference.mean >= -limits.known_items_margin
    return Check(
        name="known items",
        passed=passed,
        sentence=f"searches for known titles are {'not ' if passed else ''}certainly worse than BM25 alone; "
        f"worst kind: {worst.kind}, success@1 {worst.first.mean:.3f}, difference {difference}",
        figures={"difference": difference.mean, "high": difference.high, "queries": float(worst.queries)},
        thresholds={"difference": -limits.known_items_margin},
    )


def check_drift(report: DriftReport) -> Check:
    """Refuses a release when what it learned from is not what is shown now, as the policy says."""
    figures = {f"psi {one.name}": one.distance.psi for one in report.drifted[:10]}
    return Check(
        name="drift",
        passed=report.action in (Action.NONE, Action.WARN),
        sentence=f"{report.describe()}; policy: {report.action}",
        figures=figures,
        is_blocking=report.action is Action.BLOCK,
    )


def _compute_cosine(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    if a.shape != b.shape:
        return 0.0
    length = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / length if length > 0 else float(np.allclose(a, b))
