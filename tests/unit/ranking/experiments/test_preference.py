"""Preferences of interleaved pages: the estimate, its interval by viewer, and the verdicts."""

from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from reelrank.ranking.experiments.definition import ExperimentDefinition
from reelrank.ranking.experiments.experiment import Experiment
from reelrank.ranking.experiments.measurement.analysis import ReportTimes
from reelrank.ranking.experiments.measurement.interleaving import (
    MIN_VIEWERS,
    InterleavingLog,
    InterleavingReport,
    build_interleaving_report,
    estimate_preference,
)
from reelrank.ranking.experiments.measurement.stored_reports import REPORTS
from tests.unit.ranking.experiments.test_definitions import NOW, define


def make_log(
    rng: np.random.Generator, share: float, viewers: int = 400, lost: float = 0.0
) -> InterleavingLog:
    """Viewers of two days who use a share of the second arm's items; some of its shown items get lost."""
    viewer, day = np.repeat(np.arange(viewers), 2), np.tile([20_000, 20_001], viewers)
    used = rng.poisson(2.0, len(viewer))
    second = rng.binomial(used, share)
    shown = np.full(len(viewer), 30.0)
    pair = np.stack([used - second, second], axis=1).astype(float)
    totals = {
        "shown": np.stack([shown, shown - rng.poisson(30 * lost, len(viewer))], axis=1),
        "used": pair,
        "watched_s": 60 * pair,
        "won": np.stack([pair[:, 0] > pair[:, 1], pair[:, 1] > pair[:, 0]], axis=1).astype(float),
    }
    return InterleavingLog(viewer, day, np.full(len(viewer), 3.0), totals)


def report(log: InterleavingLog, days: float = 2.0, **fields: Any) -> InterleavingReport:
    definition: ExperimentDefinition = define(interleave=True, planned_days=2, **fields)
    experiment = Experiment(definition=definition, created_at=NOW).start(NOW, [])
    return build_interleaving_report(experiment, log, ReportTimes(NOW, NOW + timedelta(days=days), NOW))


def test_the_interval_is_that_of_a_bootstrap_over_viewers() -> None:
    rng = np.random.default_rng(0)
    busy = rng.geometric(0.2, 300)
    leaning = rng.beta(4, 4, 300)
    second = rng.binomial(busy, leaning)
    totals = np.stack([busy - second, second], axis=1).astype(float)
    found = estimate_preference(totals, 300)
    assert found is not None
    drawn = [totals[rng.integers(0, 300, 300)].sum(axis=0) for _ in range(4000)]
    low, high = np.quantile([part[1] / part.sum() for part in drawn], [0.025, 0.975])
    assert found.value == pytest.approx(second.sum() / busy.sum())
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.01)
    assert found.any_low < found.low
    assert found.any_high > found.high


@pytest.mark.parametrize(
    ("share", "days", "verdict", "words"),
    [
        (0.6, 2.0, "better", "diverse is preferred to control"),
        (0.6, 1.0, "better", "at any look"),
        (0.4, 2.0, "harmful", "control is preferred to diverse"),
        (0.5, 2.0, "no difference found", "50 % is none"),
        (0.5, 1.0, "undecided", "Let it run"),
    ],
)
def test_the_sentence_names_the_arm_that_viewers_prefer(
    share: float, days: float, verdict: str, words: str
) -> None:
    found = report(make_log(np.random.default_rng(1), share), days)
    assert found.verdicts[0].verdict == verdict
    assert words in found.verdicts[0].sentence
    assert REPORTS.validate_json(found.model_dump_json()) == found


def test_few_viewers_are_too_early_and_lost_items_are_not_read() -> None:
    rng = np.random.default_rng(2)
    assert report(make_log(rng, 0.6, MIN_VIEWERS - 1)).verdicts[0].verdict == "too early"
    lost = report(make_log(rng, 0.6, lost=0.05))
    assert lost.verdicts[0].verdict == "mis-split"
    assert "not shown equally often" in lost.verdicts[0].sentence
    empty = report(make_log(rng, 0.5, 0))
    assert (empty.pages, empty.verdicts[0].verdict, empty.draft_p) == (0, "too early", 1.0)


def test_equals_are_called_different_at_the_stated_rate() -> None:
    rng = np.random.default_rng(3)
    found = [report(make_log(rng, 0.5, 80)).preference for _ in range(400)]
    rate = np.mean([one is not None and one.p_value < 0.05 for one in found])
    assert 0.02 < rate < 0.09
