"""Measures of the probability against scikit-learn and their formulas; pooled measures and their pairs."""

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import log_loss

from reelrank.ranking.evaluation.metrics import (
    expected_calibration_error,
    logloss,
    ndcg_at,
    normalized_cross_entropy,
)
from reelrank.ranking.evaluation.pooled_measures import ScoredRequest, measure_pooled

RNG = np.random.default_rng(4)
P = RNG.beta(0.5, 8, 5000)
Y = (RNG.random(5000) < P * 0.7).astype(np.float32)


def test_normalized_cross_entropy_is_the_loss_over_that_of_the_share() -> None:
    share = np.full(len(Y), Y.mean())
    expected = log_loss(Y, np.clip(P, 1e-7, 1 - 1e-7)) / log_loss(Y, share)
    assert normalized_cross_entropy(P, Y) == pytest.approx(expected, rel=1e-6)
    assert normalized_cross_entropy(share, Y) == pytest.approx(1)
    assert np.isnan(normalized_cross_entropy(P, Y * 0))


def test_calibration_error_is_the_mean_gap_of_the_calibration_curve() -> None:
    observed, stated = calibration_curve(Y, P, n_bins=10, strategy="quantile")
    expected = np.abs(observed - stated).mean()  # bins of equal size
    assert expected_calibration_error(P, Y, bins=10) == pytest.approx(expected, abs=1e-4)


def test_without_items_the_measures_are_zero() -> None:
    assert (logloss(P[:0], Y[:0]), expected_calibration_error(P[:0], Y[:0])) == (0, 0)


def make_requests(noise: float) -> list[ScoredRequest]:
    rng = np.random.default_rng(0)
    requests = []
    for number in range(120):
        p = rng.beta(0.5, 8, 60).astype(np.float32)
        gains = (rng.random(60) < p).astype(np.float32)
        scores = p + noise * rng.random(60).astype(np.float32)
        requests.append(ScoredRequest(f"v{number % 30}", gains, gains[gains > 0], scores, p))
    return requests


def test_pooled_measures_are_those_of_all_rows_and_of_each_request() -> None:
    requests = make_requests(0)
    measures = measure_pooled(requests)
    p, y = (np.concatenate([getattr(r, name) for r in requests]) for name in ("probabilities", "gains"))
    assert measures.get_interval("logloss").mean == pytest.approx(logloss(p, y), rel=1e-6)
    assert measures.get_interval("nce").mean == pytest.approx(normalized_cross_entropy(p, y), rel=1e-6)
    assert measures.get_interval("ece").mean == pytest.approx(expected_calibration_error(p, y), abs=1e-6)
    ndcgs = [ndcg_at(r.gains[np.argsort(-r.scores, kind="stable")], r.relevant_gains, 10) for r in requests]
    assert measures.get_interval("ndcg@10").mean == pytest.approx(np.mean(ndcgs))


def test_differences_are_paired_by_viewer() -> None:
    good, noisy = measure_pooled(make_requests(0)), measure_pooled(make_requests(0.3))
    difference, same = good.compare(noisy, "ndcg@10"), good.compare(good, "ndcg@10")
    assert difference.low > 0
    assert (same.low, same.high) == (0, 0)
    width = good.get_interval("ndcg@10").high - good.get_interval("ndcg@10").low
    assert difference.high - difference.low < 2 * width


def test_requests_without_candidates_cannot_be_measured() -> None:
    empty = np.zeros(0, np.float32)
    with pytest.raises(ValueError, match="nothing to measure"):
        measure_pooled([ScoredRequest("v", empty, empty, empty, empty)])
