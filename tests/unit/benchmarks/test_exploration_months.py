"""Made-up months of exploration: full pages, a fitted prior, and what every policy must keep."""

import numpy as np
import pytest

from benchmarks.exploration.month import simulate_month
from benchmarks.exploration.policies import STATED_PRIOR, Thompson, Uniform, fit_prior
from benchmarks.exploration.run import MEASURES, POLICIES, compute_gini, measure_month
from benchmarks.exploration.truth import PAGE_SIZE, SLOT, Log, MonthOptions, MonthTruth

OPTIONS = MonthOptions(0, days=12, warm_days=1, pages=20, viewers=100, old_films=80, new_films=2)


@pytest.fixture(scope="module")
def truth() -> MonthTruth:
    return MonthTruth(OPTIONS)


@pytest.mark.parametrize("name", list(POLICIES))
def test_a_month_has_full_pages_and_every_measure(truth: MonthTruth, name: str) -> None:
    month = simulate_month(truth, POLICIES[name]())
    assert month.shown.sum() == (OPTIONS.days - OPTIONS.warm_days) * 24 * OPTIONS.pages * PAGE_SIZE
    assert not month.shown[0, truth.published > OPTIONS.warm_days].any()
    assert month.lost > 0
    measured = measure_month(truth, month)
    assert list(measured) == list(MEASURES)
    assert all(np.isfinite(value) for value in measured.values())


def test_without_exploration_the_slot_costs_nothing_and_at_random_it_costs_most(truth: MonthTruth) -> None:
    assert simulate_month(truth, POLICIES["no exploration"]()).cost == 0
    at_random, drawn = (simulate_month(truth, policy).cost for policy in (Uniform(), Thompson()))
    assert at_random > drawn > 0


def test_a_fitted_prior_is_that_of_the_rates() -> None:
    rng = np.random.default_rng(0)
    rates, impressions = rng.beta(3, 57, 20_000), rng.integers(20, 400, 20_000).astype(float)
    alpha, beta = fit_prior(impressions, rng.binomial(impressions.astype(int), rates).astype(float))
    assert alpha == pytest.approx(3, rel=0.1)
    assert beta == pytest.approx(57, rel=0.1)
    assert fit_prior(impressions[:5], impressions[:5]) == STATED_PRIOR


def test_uses_arrive_late_and_none_is_lost() -> None:
    rng, log = np.random.default_rng(0), Log.create(5)
    films = np.tile(np.arange(5), (400, 1))
    log.add_hour(films, np.zeros(films.shape), np.ones(films.shape, bool), rng)
    assert 0.6 * 2000 < log.uses.sum() < 0.8 * 2000
    for _ in range(4):
        log.add_hour(films, np.zeros(films.shape), np.zeros(films.shape, bool), rng)
    assert log.uses.sum() == 2000
    assert log.impressions.sum() == 5 * 2000


def test_gini_is_0_for_equals_and_near_1_for_one_winner() -> None:
    assert compute_gini(np.ones(100)) == pytest.approx(0, abs=1e-9)
    assert compute_gini(np.eye(100)[0]) == pytest.approx(0.99)
    assert SLOT < PAGE_SIZE
