"""Measures compared with ir_measures on random requests, with ties and unjudged items; intervals."""

from itertools import product

import ir_measures
import numpy as np
import pytest
from ir_measures import P, R, nDCG

from reelrank.ranking.evaluation.intervals import (
    bootstrap_difference,
    bootstrap_interval,
    bootstrap_intervals,
)
from reelrank.ranking.evaluation.metrics import (
    compute_ndcg_by_group,
    logloss,
    ndcg_at,
    pairwise_loss,
    precision_at,
    recall_at,
)

ORACLE = (nDCG @ 10, nDCG @ 3, P @ 10, R @ 100, R @ 5)


def measure_with_oracle(judged: dict[str, int], scores: dict[str, float]) -> list[float]:
    qrels = [ir_measures.Qrel("q", item, gain) for item, gain in judged.items()]
    run = [ir_measures.ScoredDoc("q", item, score) for item, score in scores.items()]
    values = {str(m.measure): m.value for m in ir_measures.iter_calc(ORACLE, qrels, run)}
    return [values[str(measure)] for measure in ORACLE]


def measure(judged: dict[str, int], scores: dict[str, float]) -> list[float]:
    """Measures with ties in trec_eval's order: by item, last first."""
    order = sorted(scores, key=lambda item: (scores[item], item), reverse=True)
    ranked = np.array([judged.get(item, 0) for item in order], np.float32)
    relevant = np.array([gain for gain in judged.values() if gain > 0], np.float32)
    return [
        ndcg_at(ranked, relevant, 10),
        ndcg_at(ranked, relevant, 3),
        precision_at(ranked, 10),
        recall_at(ranked, len(relevant), 100),
        recall_at(ranked, len(relevant), 5),
    ]


def build_random_request(seed: int) -> tuple[dict[str, int], dict[str, float]]:
    """Returns judgements and scores; every tenth request has no relevant item."""
    rng = np.random.default_rng(seed)
    items = [f"d{i:03}" for i in range(150)]
    scored = rng.choice(items, rng.integers(1, 130), replace=False)
    scores = {str(item): float(rng.integers(0, 20)) / 4 for item in scored}  # quarters give many ties
    known = rng.choice(items, rng.integers(1, 60), replace=False)
    highest = 0 if seed % 10 == 0 else 3
    return {str(item): int(rng.integers(0, highest + 1)) for item in known}, scores


REQUESTS = [build_random_request(seed) for seed in range(200)]


@pytest.mark.parametrize("seed", range(200))
def test_measures_agree_with_ir_measures(seed: int) -> None:
    judged, scores = REQUESTS[seed]
    assert measure(judged, scores) == pytest.approx(measure_with_oracle(judged, scores), abs=1e-9)


def test_the_random_requests_cover_the_special_cases() -> None:
    first_ten = [sorted(s, key=lambda item: (s[item], item), reverse=True)[:10] for _, s in REQUESTS]
    ties = sum(
        len({s[i] for i in first}) < len(first) for (_, s), first in zip(REQUESTS, first_ten, strict=True)
    )
    unjudged = sum(any(i not in j for i in first) for (j, _), first in zip(REQUESTS, first_ten, strict=True))
    nothing = sum(not any(judged.values()) for judged, _ in REQUESTS)
    unfound = sum(any(gain and i not in scores for i, gain in judged.items()) for judged, scores in REQUESTS)
    assert min(ties, unjudged, unfound) > 100
    assert nothing >= 20


def test_no_results_and_nothing_relevant_count_zero() -> None:
    none = np.empty(0, np.float32)
    assert ndcg_at(none, none, 10) == 0
    assert ndcg_at(none, np.ones(2, np.float32), 10) == 0
    assert precision_at(none, 10) == 0
    assert recall_at(none, 0, 100) == 0
    assert pairwise_loss(none, none) == 0
    assert logloss(none, none) == 0


@pytest.mark.parametrize("seed", range(50))
def test_pairwise_loss_is_the_share_of_wrong_pairs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 5, 30).astype(np.float32)
    scores[rng.random(30) < 0.2] = -np.inf
    gains = np.maximum(rng.integers(-3, 3, 30), 0).astype(np.float32)
    pairs = list(product(scores[gains > 0], scores[gains == 0]))
    wrong = sum(1.0 if good < bad else 0.5 if good == bad else 0.0 for good, bad in pairs)
    assert pairwise_loss(scores, gains) == pytest.approx(wrong / len(pairs), abs=1e-12)


def test_logloss_of_known_probabilities() -> None:
    value = logloss(np.array([0.9, 0.2, 0.0]), np.array([1.0, 0.0, 0.0]))
    assert value == pytest.approx(-(np.log(0.9) + np.log(0.8)) / 3, abs=1e-6)


def test_the_loss_of_a_certain_wrong_probability_is_bounded() -> None:
    assert logloss(np.array([0.0]), np.array([1.0])) == pytest.approx(16.118, abs=1e-3)


def test_an_interval_is_as_wide_as_theory_predicts() -> None:
    values = np.random.default_rng(0).normal(5, 1, 2000)
    interval = bootstrap_interval(values)
    assert interval.mean == pytest.approx(values.mean())
    assert interval.high - interval.low == pytest.approx(2 * 1.96 / np.sqrt(2000), rel=0.08)


def test_the_same_seed_gives_the_same_interval() -> None:
    values = np.random.default_rng(0).random(100)
    assert bootstrap_interval(values, 7) == bootstrap_interval(values, 7)


def test_pairing_removes_common_variance() -> None:
    rng = np.random.default_rng(0)
    shared = rng.normal(0, 10, 500)
    difference = bootstrap_difference(shared + 0.1, shared)
    assert (difference.low, difference.high) == pytest.approx((0.1, 0.1))


def test_requests_without_a_value_are_ignored() -> None:
    assert bootstrap_interval(np.array([1.0, np.nan, 1.0])).mean == 1.0


def test_columns_share_their_resamples() -> None:
    values = np.random.default_rng(0).random(50)
    first, second = bootstrap_intervals(np.column_stack([values, values + 1]))
    assert (second.low, second.high) == pytest.approx((first.low + 1, first.high + 1))


def test_no_values_raise() -> None:
    with pytest.raises(ValueError, match="at least one request"):
        bootstrap_interval(np.empty(0))


@pytest.mark.parametrize("seed", range(5))
def test_ndcg_of_groups_is_that_of_each_group_alone(seed: int) -> None:
    rng = np.random.default_rng(seed)
    groups = rng.integers(1, 20, 30).astype(np.int32)
    gains = rng.integers(0, 3, groups.sum()).astype(np.int32)
    scores = rng.integers(0, 5, groups.sum()).astype(np.float32)  # with ties
    parts = [np.split(values, np.cumsum(groups)[:-1]) for values in (scores, gains)]
    expected = [
        ndcg_at(gain[np.argsort(-score, kind="stable")], gain, 10) for score, gain in zip(*parts, strict=True)
    ]
    assert compute_ndcg_by_group(scores, gains, groups, 10) == pytest.approx(expected)
