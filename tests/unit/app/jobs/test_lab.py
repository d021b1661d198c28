"""The lab: what it compares, what it calls certain, and what it says to use."""

from pathlib import Path

import numpy as np
import pytest

from reelrank.app.jobs.lab.features import (
    estimate_collisions,
    list_systems,
    measure_features,
)
from reelrank.app.jobs.lab.imbalance import TRIALS, ImbalanceReport, ImbalanceRow, compare_handlings
from reelrank.app.jobs.lab.trial import ModelKind, Trial, read_peak_mb
from reelrank.app.jobs.lab.verdict import describe_verdict
from reelrank.ranking.evaluation.intervals import Interval, Verdict
from reelrank.ranking.evaluation.plots import write_measures_plot
from reelrank.ranking.evaluation.pooled_measures import POOLED_MEASURES, PooledMeasures
from reelrank.ranking.training.resampling import SYNTHETIC, Handling
from tests.unit.app.jobs.lab_window import build_window

NAMES = ("useful", "unknown", "fixed", "people_hashed")


def test_lambdarank_is_compared_without_synthetic_rows() -> None:
    handled = {(trial.model, trial.handling) for trial in TRIALS}
    assert len(handled) == 2 * len(Handling) - len(SYNTHETIC)
    assert (ModelKind.LAMBDARANK, Handling.SMOTE) not in handled


def build_measures(ndcg: float, nce: float) -> PooledMeasures:
    """Builds measures whose resamples share their noise, as paired systems do."""
    noise = np.random.default_rng(0).normal(0, 0.02, (1000, 1))
    values = np.array([ndcg, 0, 0, 0, nce, 0])
    return PooledMeasures(values, values + noise)


def build_report(rows: dict[Handling, tuple[float, float]]) -> ImbalanceReport:
    built = [
        ImbalanceRow(Trial(ModelKind.POINTWISE, handling), False, build_measures(*measured), 1.0, 2.0, 3, 0)
        for handling, measured in rows.items()
    ]
    return ImbalanceReport(tuple(built), 0.02, 10, 10, 10)


def test_the_verdict_says_to_do_nothing_when_a_better_order_spoils_the_probability() -> None:
    verdict = describe_verdict(
        build_report(
            {Handling.NOTHING: (0.3, 0.9), Handling.WEIGHTS: (0.32, 1.4), Handling.SMOTE: (0.3, 0.9)}
        )
    )
    assert "certainly better: class weights +0.0200" in verdict[0].lower()
    assert "not certain: smote" in verdict[0].lower()
    assert "certainly worse: class weights +0.5000" in verdict[1].lower()
    assert verdict[-1].startswith("pointwise: do nothing")


def test_the_verdict_names_what_improves_one_and_spoils_nothing() -> None:
    verdict = describe_verdict(
        build_report({Handling.NOTHING: (0.3, 0.9), Handling.THINNING: (0.31, 0.9), Handling.SMOTE: (0.2, 2)})
    )
    assert verdict[-1].startswith("pointwise: use thinned negatives; NDCG@10 +0.0100")


@pytest.mark.slow
def test_handlings_are_trained_apart_and_measured_on_the_same_requests() -> None:
    window = build_window(120, NAMES, viewers=30)
    trials = [
        Trial(ModelKind.POINTWISE, Handling.NOTHING),
        Trial(ModelKind.POINTWISE, Handling.THINNING),
        Trial(ModelKind.LAMBDARANK, Handling.WEIGHTS),
    ]
    report = compare_handlings(window.training, window.judged, NAMES, trials=trials)
    assert [(row.trial, row.is_corrected) for row in report.rows] == [
        (trials[0], False),
        (trials[1], False),
        (trials[1], True),
        (trials[2], False),
    ]
    assert (report.viewers, report.positive_share) == (30, 0.05)
    stated, corrected = (row.measures.get_interval("ece").mean for row in report.rows[1:3])
    assert corrected < stated
    for row in report.rows:
        assert row.measures.get_interval("ndcg@10").mean > 0.9
        assert row.cpu_s > 0
        assert row.peak_mb > 10


@pytest.mark.slow
def test_a_useful_feature_is_certainly_missed_and_buckets_are_counted() -> None:
    window = build_window(120, NAMES, viewers=120)
    systems = list_systems(window)
    assert "without hashed feature: people_hashed" in systems
    merged = systems["16 buckets instead of 256"]()
    assert set(np.unique(merged.training.features[:, 3])) == set(map(float, range(16)))
    assert np.array_equal(merged.training.features[:, 0], window.training.features[:, 0])
    report = measure_features(window, seeds=[7], values={"people_hashed": 1000})
    assert {effect.verdict for effect in report.effects} <= {
        Verdict.UNDECIDED,
        Verdict.NOT_WORSE,
        Verdict.WORSE,
    }
    (use,) = report.buckets
    assert (use.used, use.values) == (256, 1000)
    assert use.collisions[256] == pytest.approx(0.98, abs=0.005)


def test_the_peak_of_a_process_grows_with_what_it_holds() -> None:
    before = read_peak_mb()
    held = np.ones(40_000_000)
    assert read_peak_mb() - before > 100 or before > held.nbytes / 1e6
    assert before > 10


def test_collisions_agree_with_values_thrown_into_buckets() -> None:
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(200):
        counts = np.bincount(rng.integers(0, 64, 40), minlength=64)
        shares.append(counts[counts > 1].sum() / 40)
    assert estimate_collisions(40, 64) == pytest.approx(np.mean(shares), abs=0.02)


def test_a_plot_has_a_panel_for_each_measure(tmp_path: Path) -> None:
    row = dict.fromkeys(POOLED_MEASURES, Interval(0.5, 0.4, 0.6))
    svg, png = write_measures_plot({"nothing": row, "SMOTE": row}, "title", tmp_path / "plot")
    text = svg.read_text()
    assert all(measure in text for measure in (*POOLED_MEASURES, "SMOTE", "title"))
    assert png.stat().st_size > 1000
