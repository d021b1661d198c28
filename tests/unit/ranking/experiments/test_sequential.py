"""Confidence sequences against their definition, and canaries that are alike, worse, broken or late."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from reelrank.ranking.experiments.assignment import CANARY, assign_variant
from reelrank.ranking.experiments.canary import ALPHA, RATIO_ALPHA, Outcomes, Verdict, judge_canary
from reelrank.ranking.experiments.sequential import (
    START,
    compute_boundary,
    compute_ratio_p,
    estimate_effect,
)

SHARE, MARGIN = 0.2, 0.05


def make_outcomes(
    seed: int, viewers: int, effect: float = 0.0, share: float = SHARE, **other: float
) -> Outcomes:
    """Watch times with a long tail; `effect` is a share of their mean. other: rates of the canary's pages."""
    rng = np.random.default_rng(seed)
    is_canary = rng.random(viewers) < share
    watched = rng.gamma(0.7, 1500, viewers) * (1 + effect * is_canary)
    rates = {
        name: np.where(is_canary, other.get(name, 0.01), 0.01) for name in ("degraded", "empty", "errors")
    }
    metrics = {
        "watch time": watched,
        "clicks": rng.beta(1, 9, viewers) * (1 + effect * is_canary),
        **{name: rng.binomial(10, rate) / 10 for name, rate in rates.items()},
        "latency": rng.gamma(20, 1, viewers) * (1 + other.get("latency", 0.0) * is_canary),
    }
    return Outcomes(is_canary, metrics)


@pytest.mark.parametrize("alpha", [0.05, 0.004])
@pytest.mark.parametrize("variance", [50.0, 2000.0, 40_000.0])
def test_the_boundary_is_where_the_mixture_reaches_its_level(variance: float, alpha: float) -> None:
    """The oracle is the definition: exp(l s - l^2 v / 2), integrated over l ~ N(0, 1 / rho)."""
    optimal = 2000.0
    bound = float(compute_boundary(np.array([variance]), alpha, optimal)[0])
    rho = optimal / (-2 * np.log(alpha) + np.log(-2 * np.log(alpha)) + 1)
    peak = bound / (variance + rho)

    def likelihood(rate: float) -> float:
        return float(np.exp(rate * bound - rate**2 * variance / 2) * norm.pdf(rate, scale=rho**-0.5))

    spread = 12 / np.sqrt(variance + rho)
    mixture, _ = quad(likelihood, peak - spread, peak + spread, limit=200)
    assert mixture == pytest.approx(1 / alpha, rel=1e-6)


def test_the_intervals_hold_at_all_times_at_once() -> None:
    missed = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        is_canary = rng.random(3000) < 0.5
        outcomes = rng.exponential(10, 3000) + 2 * is_canary
        sequence = estimate_effect(outcomes, is_canary, 0.5, 0.05)
        missed += bool(((sequence.low > 2) | (sequence.high < 2)).any())
    assert missed <= 20  # 5 % are 10; 20 or fewer have a probability of 0.999


def test_nothing_is_said_of_the_first_viewers() -> None:
    outcomes = make_outcomes(0, START - 1)
    assert judge_canary(outcomes, SHARE, MARGIN).verdict is Verdict.UNDECIDED
    assert judge_canary(make_outcomes(0, 0), SHARE, MARGIN).verdict is Verdict.UNDECIDED


def test_error_probabilities_add_up_to_five_percent() -> None:
    assert sum(ALPHA.values()) + RATIO_ALPHA == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"effect": -0.5}, "watch time"),
        ({"empty": 0.3}, "empty"),
        ({"degraded": 0.3}, "degraded"),
        ({"errors": 0.2}, "errors"),
        ({"latency": 2.0}, "latency"),
    ],
)
def test_a_harmful_canary_is_worse_and_says_why(change: dict[str, float], name: str) -> None:
    report = judge_canary(make_outcomes(1, 6000, **change), SHARE, MARGIN)
    assert report.verdict is Verdict.WORSE
    assert name in [check.name for check in report.checks if not check.passed]


def test_a_better_canary_is_better_and_an_equal_one_is_not_worse_in_the_end() -> None:
    assert judge_canary(make_outcomes(1, 6000, effect=0.5), SHARE, MARGIN).verdict is Verdict.BETTER
    assert judge_canary(make_outcomes(1, 3000), SHARE, MARGIN).verdict is Verdict.UNDECIDED
    assert judge_canary(make_outcomes(1, 200_000), SHARE, MARGIN).verdict is Verdict.NOT_WORSE


def test_a_wrong_share_of_viewers_is_found() -> None:
    wrong = make_outcomes(0, 5000, share=0.25)
    report = judge_canary(wrong, SHARE, MARGIN)
    assert report.verdict is Verdict.WORSE
    assert not report.checks[0].passed
    assert compute_ratio_p(make_outcomes(0, 5000).is_canary, SHARE)[-1] > RATIO_ALPHA


def test_a_viewer_keeps_the_arm_and_another_salt_draws_again() -> None:
    viewers = [f"viewer-{n}" for n in range(4000)]
    first, again, other = (
        [assign_variant(salt, viewer, 0.1) == CANARY for viewer in viewers] for salt in ("a", "a", "b")
    )
    assert first == again
    assert np.mean(first) == pytest.approx(0.1, abs=0.02)
    both = np.mean([one and two for one, two in zip(first, other, strict=True)])
    assert both == pytest.approx(0.01, abs=0.006)
    wider = [assign_variant("a", viewer, 0.3) == CANARY for viewer in viewers]
    assert all(new for old, new in zip(first, wider, strict=True) if old)  # a larger share keeps its viewers
