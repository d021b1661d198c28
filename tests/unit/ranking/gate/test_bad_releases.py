"""The gate refuses five kinds of bad releases, over made-up requests, and lets a good one pass."""

import itertools

import numpy as np
import pytest

from benchmarks.loop.gate import Pair, judge, judge_fault
from benchmarks.loop.made_up_history import NAMES, MadeUpHistory, make_history, train
from reelrank.app.loop.faults import Fault
from reelrank.ranking.drift.histograms import Profile, count_features
from reelrank.ranking.drift.report import compare_profiles
from reelrank.ranking.evaluation.intervals import Interval
from reelrank.ranking.evaluation.known_items import KnownItemResult
from reelrank.ranking.evaluation.metrics import ndcg_at
from reelrank.ranking.gate.limits import GateLimits
from reelrank.ranking.gate.order_checks import check_order, check_sample
from reelrank.ranking.gate.release_checks import check_drift, check_known_items
from reelrank.ranking.gate.requests import GateRequests, measure_auc, measure_ndcg
from reelrank.ranking.rankers.lambdarank import FusedOrder
from reelrank.ranking.registry.decisions import find_failed, summarize_checks

REFUSED_BY = {
    Fault.SHUFFLED_LABELS: "order",
    Fault.LEAKED_FEATURE: "leak",
    Fault.NAN_COLUMN: "features",
    Fault.TENTH_OF_DATA: "training data",
    Fault.STALE_VECTORS: "vectors",
}


@pytest.fixture(scope="module")
def history() -> MadeUpHistory:
    return make_history(0, 150, 300)


@pytest.fixture(scope="module")
def serving(history: MadeUpHistory) -> Pair:
    return train(history.rows, "serving")


@pytest.mark.parametrize("fault", Fault)
def test_a_bad_release_is_refused_for_its_fault(history: MadeUpHistory, serving: Pair, fault: Fault) -> None:
    failed = find_failed(judge_fault(fault, 0, history, serving))
    assert REFUSED_BY[fault] in {check.name for check in failed}
    assert summarize_checks(failed)


def test_what_serves_already_passes(history: MadeUpHistory, serving: Pair) -> None:
    checks = judge(history.newest, serving, serving)
    assert [check.name for check in checks if not check.passed] == []
    assert summarize_checks(checks) == f"{len(checks)} checks passed"


def test_a_model_is_better_than_the_shown_order(history: MadeUpHistory, serving: Pair) -> None:
    check = check_order(history.newest.select_answered(), serving[0], FusedOrder(), GateLimits())
    assert check.passed
    assert check.figures["low"] > 0
    refused = check_order(history.newest.select_answered(), FusedOrder(), serving[0], GateLimits())
    assert not refused.passed


def test_few_viewers_are_no_proof(history: MadeUpHistory) -> None:
    newest = history.newest
    one = GateRequests(
        NAMES, newest.features, newest.gains, newest.groups, np.full(len(newest.groups), "ada", np.str_)
    )
    assert not check_sample(one.select_answered(), GateLimits()).passed


def test_ndcg_of_groups_is_that_of_each_request() -> None:
    rng = np.random.default_rng(0)
    groups = np.array([3, 12, 1, 7], np.int32)
    gains = rng.integers(0, 3, groups.sum()).astype(np.int32)
    scores = rng.normal(size=len(gains)).round(1)
    requests = GateRequests(("f",), scores[:, None].astype(np.float32), gains, groups, np.array(list("abcd")))
    starts = np.concatenate([[0], np.cumsum(groups)])
    expected = []
    for begin, end in itertools.pairwise(starts):
        part = gains[begin:end]
        ranked = part[np.argsort(-scores[begin:end], kind="stable")]
        expected.append(ndcg_at(ranked.astype(np.float64), part[part > 0].astype(np.float64), 10))
    assert measure_ndcg(requests, scores) == pytest.approx(expected)


def test_pairs_count_within_a_request_only() -> None:
    gains = np.array([1, 0, 0, 1], np.int32)
    requests = GateRequests(
        ("f",), np.zeros((4, 1), np.float32), gains, np.array([2, 2], np.int32), np.array(["a", "b"])
    )
    assert measure_auc(requests, np.array([0.2, 0.1, 0.9, 0.8])) == 0.5
    assert measure_auc(requests, np.array([0.2, 0.1, 0.8, 0.9])) == 1.0
    assert measure_auc(requests, np.zeros(4)) == 0.5


@pytest.mark.parametrize(
    ("high", "mean", "passes"), [(0.0, -0.3, True), (-0.01, -0.015, True), (-0.1, -0.2, False)]
)
def test_known_titles_must_not_be_certainly_worse(high: float, mean: float, passes: bool) -> None:
    first = Interval(0.9, 0.8, 1.0)
    result = KnownItemResult("typo", "candidate", 50, first, first, Interval(mean, mean - 0.1, high))
    assert check_known_items([result], "candidate", GateLimits()).passed is passes


def test_strong_drift_of_what_a_model_rests_on_refuses_it() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(4000, 3)).astype(np.float32)
    names = ("a", "b", "c")
    before = Profile(count_features(rows, names), requests=4000, gains={"a": 8.0, "b": 1.0, "c": 1.0})
    shifted = rows + np.array([1.5, 0, 0], np.float32)
    now = Profile(count_features(shifted, names), requests=4000)
    check = check_drift(compare_profiles(before, now))
    assert not check.passed
    assert check.is_blocking
    assert "a (PSI" in check.sentence
    assert check_drift(compare_profiles(before, before)).passed


def test_a_refusal_for_want_of_requests_says_how_many_would_do(history: MadeUpHistory, serving: Pair) -> None:
    answered = history.newest.select_answered()
    requests = answered.select_features(NAMES), answered.gains
    few = GateRequests(NAMES, *requests, answered.groups, answered.viewers)
    ranker, other = serving[0], train(history.rows, "other", 1)[0]
    check = check_order(few, other, ranker, GateLimits(margin=1e-6))
    assert not check.passed
    assert "answered requests are too few to tell a loss" in check.sentence
    worse = check_order(few, FusedOrder(), ranker, GateLimits(margin=1e-6))
    assert "too few" not in worse.sentence
