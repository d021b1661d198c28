"""Off-policy estimates: formulas, known truths, clusters, and refusals where the log cannot know."""

from dataclasses import replace

import numpy as np
import pytest

from reelrank.ranking.evaluation.counterfactual.estimators import METHODS, estimate, estimate_all
from reelrank.ranking.evaluation.counterfactual.logged_actions import LoggedActions
from reelrank.ranking.evaluation.counterfactual.support import check_support

ITEMS = 5
RATES = np.array([0.1, 0.2, 0.3, 0.15, 0.05])
"""Of use, by item; the target shows item 2 with probability 0.8, and each other with 0.05."""
TARGET = np.array([0.05, 0.05, 0.8, 0.05, 0.05])
LOGGING = np.array([0.4, 0.3, 0.1, 0.1, 0.1])
TRUTH = float(TARGET @ RATES)


def make_log(seed: int, pages: int = 4000, viewers: int = 4000) -> LoggedActions:
    rng = np.random.default_rng(seed)
    shown = rng.choice(ITEMS, pages, p=LOGGING)
    reward = (rng.random(pages) < RATES[shown]).astype(float)
    expected = np.full(pages, TARGET @ (RATES + 0.05))
    names = (np.arange(pages) % viewers).astype(str)
    return LoggedActions(
        names, LOGGING[shown], reward, np.full(pages, 10), TARGET[shown], RATES[shown] + 0.05, expected
    )


def test_each_estimator_is_its_formula() -> None:
    log = make_log(0, 500)
    w, r, q, v = log.weights, log.reward, log.predicted, log.expected
    expected = {
        "logged": r.mean(),
        "replay": (log.target * r).sum() / log.target.sum(),
        "ips": (w * r).mean(),
        "snips": (w * r).sum() / w.sum(),
        "dr": (v + w * (r - q)).mean(),
        "switch-dr": (v + np.where(w <= 10, w, 0) * (r - q)).mean(),
    }
    found = {one.method: one for one in estimate_all(log)}
    assert {name: one.value for name, one in found.items()} == pytest.approx(expected)
    assert found["ips"].effective == pytest.approx(w.sum() ** 2 / (w**2).sum())
    assert all(one.low < one.value < one.high for one in found.values())


@pytest.mark.parametrize("method", ["ips", "snips", "dr", "switch-dr"])
def test_intervals_cover_the_truth_and_the_logged_mean_does_not(method: str) -> None:
    """At least 182 of 200 intervals of 95 %: fewer have a probability of 1 %. The logged mean is 0.16."""
    estimates = [estimate(method, make_log(seed)) for seed in range(200)]
    covered = sum(one is not None and one.low <= TRUTH <= one.high for one in estimates)
    assert covered >= 182
    logged = estimate("logged", make_log(0))
    assert logged is not None
    assert logged.high < TRUTH


def test_pages_of_one_viewer_widen_the_interval() -> None:
    log = make_log(1)
    together = replace(log, viewers=np.repeat(np.arange(100), 40).astype(str))
    copied = LoggedActions(*(np.repeat(getattr(log, name), 40) for name in LoggedActions.__slots__))
    apart, cluster = (estimate("snips", one) for one in (log, copied))
    assert apart is not None
    assert cluster is not None
    width = cluster.high - cluster.low
    assert width == pytest.approx(apart.high - apart.low, rel=0.01)  # 40 copies of a page are one page
    assert estimate("snips", together) is not None


def test_without_a_model_only_the_methods_that_need_none_answer() -> None:
    log = make_log(2)
    without = replace(log, predicted=np.full(len(log), np.nan))
    assert [one.method for one in estimate_all(without)] == ["logged", "replay", "ips", "snips"]
    assert len(estimate_all(log)) == len(METHODS)


def test_what_the_log_cannot_know_is_refused_with_the_reason() -> None:
    log = make_log(3)
    assert check_support(log).refusal == ""
    assert "30 are needed" in check_support(replace(log, viewers=np.full(len(log), "one"))).refusal
    assert "no logged page" in check_support(log.select(np.zeros(len(log), bool))).refusal
    never = replace(log, propensity=np.where(log.propensity > 0.3, np.nan, log.propensity))
    assert "no propensity" in check_support(never).refusal
    shown_by_luck = replace(log, target=log.target * (np.arange(len(log)) < 8))
    assert "effective ones" in check_support(shown_by_luck).refusal
    rng = np.random.default_rng(0)
    hidden = log.select(TARGET[2] != log.target)  # the log never shows what the target shows most
    assert "can never show" in check_support(hidden).refusal
    wrong = replace(log, propensity=log.propensity * rng.choice([0.4, 0.6], len(log)))
    assert "not 1" in check_support(wrong).refusal
