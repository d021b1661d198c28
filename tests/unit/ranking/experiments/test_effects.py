"""Effects agree with gbstats and tea-tasting; splits, power and verdicts are what they should be."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import chisquare

from reelrank.ranking.experiments.definition import ExperimentDefinition
from reelrank.ranking.experiments.experiment import Experiment
from reelrank.ranking.experiments.measurement.analysis import ReportTimes, build_report
from reelrank.ranking.experiments.measurement.effects import MIN_VIEWERS, estimate_effect_of
from reelrank.ranking.experiments.measurement.outcomes import (
    ACTIONS,
    Columns,
    ExperimentLog,
    ViewerDays,
    ViewerTotals,
)
from reelrank.ranking.experiments.measurement.power import compute_smallest_lift, find_days, plan_durations
from reelrank.ranking.experiments.measurement.report import ExperimentReport, Verdict
from reelrank.ranking.experiments.measurement.sample_ratio import MISMATCH_P, check_sample_ratio

BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
FIRST_DAY = 20_000


def to_columns(**columns: NDArray[Any]) -> Columns:
    return {name: np.asarray(column, np.float64) for name, column in columns.items()}


@pytest.fixture(scope="module")
def totals() -> ViewerTotals:
    """The data that gbstats 0.8.0 and tea-tasting 2.0.0 were given, too."""
    rng, n = np.random.default_rng(0), 4000
    arms = (rng.random(n) < 0.5).astype(int)
    habit = rng.gamma(2, 1, n)
    seen, past_seen = rng.poisson(5 * habit) + 1.0, rng.poisson(5 * habit) * 1.0
    rate = rng.beta(2, 18, n)
    used = rng.binomial(seen.astype(int), np.minimum(rate * (1 + 0.08 * arms), 1)) * 1.0
    past_used = rng.binomial(past_seen.astype(int), rate) * 1.0
    ones = np.ones(n)
    now = to_columns(used=used, seen=seen, watched_s=used, viewers=ones)
    past = to_columns(used=past_used, seen=past_seen, watched_s=past_used, viewers=ones)
    return ViewerTotals(arms, now, past, n)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ctr", (0.007150650740721645, -0.0006327578821156985, 0.014934059363558988, 0.07175091997654537)),
        ("watch_s_per_viewer",
         (0.08193193414717892, -0.021038207237388917, 0.18490207553174676, 0.11884144963866672)),
    ],
)  # fmt: skip
def test_ratios_and_means_agree_with_gbstats_and_tea_tasting(
    totals: ViewerTotals, name: str, expected: tuple[float, ...]
) -> None:
    effect = estimate_effect_of(name, totals, 1, with_past=False)
    assert effect is not None
    found = effect.difference, effect.low, effect.high, effect.p_value
    assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ctr", (0.004973886793144741, -0.0020126444747283253, 0.011960418061017808)),
        ("watch_s_per_viewer", (0.04192608052273972, -0.0429072970680406, 0.12675945811352002)),
    ],
)
def test_what_the_past_narrows_agrees_with_tea_tasting(
    totals: ViewerTotals, name: str, expected: tuple[float, ...]
) -> None:
    """tea-tasting takes one covariance over both arms, this one that within arms: alike up to 1 / sqrt(n)."""
    effect = estimate_effect_of(name, totals, 1)
    assert effect is not None
    assert (effect.difference, effect.low, effect.high) == pytest.approx(expected, rel=3e-3)
    z = totals.columns["watched_s"]
    if name == "watch_s_per_viewer":
        rho = np.corrcoef(z, totals.past["watched_s"])[0, 1]
        assert effect.narrowed == pytest.approx(np.sqrt(1 - rho**2), rel=0.01)


def test_the_interval_for_any_look_is_wider_and_few_viewers_have_none(totals: ViewerTotals) -> None:
    effect = estimate_effect_of("ctr", totals, 1)
    assert effect is not None
    assert effect.any_low < effect.low < effect.high < effect.any_high
    few = totals.select(np.arange(len(totals)) < MIN_VIEWERS)
    assert estimate_effect_of("ctr", few, 1) is None


def test_a_wrong_split_is_found_and_a_right_one_is_not() -> None:
    assert check_sample_ratio((50_000, 50_000), (0.5, 0.5)).p_value == 1.0
    found = check_sample_ratio((49_000, 51_000), (0.5, 0.5))
    assert found.is_mismatch
    assert found.p_value == pytest.approx(float(chisquare([49_000, 51_000]).pvalue))
    assert not check_sample_ratio((0, 0), (0.5, 0.5)).is_mismatch
    assert check_sample_ratio((700, 200, 100), (0.7, 0.2, 0.1)).p_value > MISMATCH_P


def make_log(
    seed: int, effect: float = 0.0, viewers: int = 4000, days: int = 14, share: float = 0.5
) -> ExperimentLog:
    """Viewers who come on every day and watch for a gamma of seconds; no past."""
    rng = np.random.default_rng(seed)
    arms = (rng.random(viewers) < share).astype(np.int64)
    viewer = np.repeat(np.arange(viewers), days)
    day = np.tile(np.arange(FIRST_DAY, FIRST_DAY + days), viewers)
    habit = rng.gamma(2.0, 100.0, viewers)[viewer] * (1 + effect * arms[viewer])
    ones = np.ones(len(viewer))
    used = (rng.random(len(viewer)) < 0.2 * (1 + effect * arms[viewer])) * 1.0
    watched = habit * rng.gamma(1.0, 1.0, len(viewer))
    columns = to_columns(
        pages=ones, seen=5 * ones, used=used, played=used, completed=0 * ones, watched_s=watched
    )
    facts = {name: np.zeros(viewers) for name in ("converted", "convertible", "returned", "returnable")}
    past = {name: np.zeros(viewers) for name in ACTIONS}
    surfaces: NDArray[np.str_] = np.full(len(viewer), "home")
    days_of_viewers = ViewerDays(viewer, day, surfaces, columns)
    return ExperimentLog(arms, np.ones(viewers, bool), facts, past, days_of_viewers)


def report(log: ExperimentLog, days: float = 14.0, **fields: object) -> ExperimentReport:
    body = {
        "name": "watch", "hypothesis": "Viewers watch longer.", "guardrails": [{"metric": "ctr"}],
        "arms": [{"name": "control", "share": 0.5}, {"name": "new", "share": 0.5}],
    }  # fmt: skip
    definition = ExperimentDefinition.model_validate(body | fields)
    experiment = Experiment(definition=definition, created_at=BEGIN, started_at=BEGIN)
    end = BEGIN + timedelta(days=days)
    return build_report(experiment, log, ReportTimes(BEGIN, end, end))


@pytest.mark.parametrize(
    ("log", "days", "verdict", "words"),
    [
        (make_log(0, 0.2), 3.0, Verdict.BETTER, "can be promoted"),
        (make_log(0, -0.2), 3.0, Verdict.HARMFUL, "Stop it"),
        (make_log(0), 3.0, Verdict.UNDECIDED, "11 more days"),
        (make_log(0), 14.0, Verdict.NO_DIFFERENCE, "after 14 days"),
        (make_log(0, share=0.4), 14.0, Verdict.MIS_SPLIT, "Do not read"),
        (make_log(0, viewers=150), 14.0, Verdict.TOO_EARLY, "Too early"),
    ],
    ids=lambda value: str(value) if isinstance(value, Verdict) else "",
)
def test_the_verdict_is_said_in_a_sentence(
    log: ExperimentLog, days: float, verdict: Verdict, words: str
) -> None:
    (found,) = report(log, days).verdicts
    assert found.verdict is verdict
    assert words in found.sentence


def test_the_sentence_states_the_interval_that_decides() -> None:
    """A lift that only the narrower interval tells from nothing is better once the planned days are over."""
    log = make_log(0, 0.075)
    early, late = report(log, 3.0), report(log, 14.0)
    effect = late.find_effect("watch_s_per_viewer", "new")
    assert effect is not None and effect.any_low is not None
    assert effect.low is not None and effect.high is not None
    assert effect.any_low < 0 < effect.low
    assert (early.verdicts[0].verdict, late.verdicts[0].verdict) == (Verdict.UNDECIDED, Verdict.BETTER)
    assert "at any look" in early.verdicts[0].sentence
    assert f"(between {effect.low:+.1%} and {effect.high:+.1%})" in late.verdicts[0].sentence


def test_a_guardrail_that_falls_stops_what_would_be_undecided() -> None:
    log = make_log(0)
    fallen = log.days.columns["used"] * (log.arms[log.days.viewer] == 0)
    days = ViewerDays(log.days.viewer, log.days.day, log.days.surface, {**log.days.columns, "used": fallen})
    worse = ExperimentLog(log.arms, log.is_new, log.facts, log.past, days)
    (found,) = report(worse, 3.0).verdicts
    assert found.verdict is Verdict.HARMFUL
    assert "a loss of 2% was the limit" in found.sentence


def test_measures_are_adjusted_together_and_segments_and_days_are_there() -> None:
    found = report(make_log(1))
    assert all(one.q_value >= one.p_value for one in found.effects)
    assert {one.segment for one in found.segments} == {"new viewers", "home pages"}
    assert len({one.day for one in found.by_day}) == 14
    assert ExperimentReport.model_validate_json(found.model_dump_json()) == found


def test_a_plan_says_after_how_many_days_a_lift_is_found() -> None:
    log = make_log(2)
    durations = plan_durations("watch_s_per_viewer", log, (0.5, 0.5), 1.0)
    assert [one.days for one in durations] == [1, 2, 3, 5, 7, 10, 14]
    lifts = [one.smallest_lift for one in durations]
    assert lifts == sorted(lifts, reverse=True)
    assert find_days(durations, lifts[3]) == 5
    assert find_days(durations, 0.0) is None
    assert compute_smallest_lift(10.0, 100.0, 12_558, (0.5, 0.5)) == pytest.approx(0.05, rel=1e-3)


def test_a_planned_lift_is_found_with_the_stated_power() -> None:
    """Oracle: 200 experiments with the lift that 80 % must find, by Welch's test; exact 99.9 % interval."""
    smallest = compute_smallest_lift(1.0, 0.5, 2000, (0.5, 0.5))
    found = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        arms = (rng.random(2000) < 0.5).astype(int)
        watched = rng.gamma(2.0, 0.5, 2000) + smallest * arms
        ones = np.ones(2000)
        now = {"watched_s": watched, "viewers": ones}
        past = {"watched_s": 0 * ones, "viewers": ones}
        effect = estimate_effect_of("watch_s_per_viewer", ViewerTotals(arms, now, past, 2000), 1)
        found += effect is not None and effect.p_value < 0.05
    assert 140 <= found <= 178
