"""Histograms that add up, distances against their definitions, and which features count as drifted."""

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import ks_2samp

from reelrank.ranking.drift.distances import compare_histograms
from reelrank.ranking.drift.histograms import (
    Profile,
    add_histograms,
    add_profiles,
    count_column,
    count_features,
    read_profile,
    write_profile,
)
from reelrank.ranking.drift.report import (
    CALENDAR_FEATURES,
    Action,
    Kind,
    adjust_p_values,
    compare_kinds,
    compare_profiles,
)
from reelrank.ranking.evaluation.intervals import count_effective
from reelrank.ranking.features.compute import FEATURES

NAMES = tuple(f"f{n}" for n in range(60))


def make_profile(
    seed: int, rows: int = 2000, shift: float = 0.0, gains: dict[str, float] | None = None
) -> Profile:
    """Rows of 60 features, the first of them shifted by so many standard deviations."""
    values = np.random.default_rng(seed).normal(size=(rows, len(NAMES))).astype(np.float32)
    values[:, 0] += shift
    return Profile(count_features(values, NAMES), rows=rows, viewers=rows, gains=gains or {})


def test_histograms_of_parts_add_up_to_that_of_all() -> None:
    values = np.random.default_rng(0).normal(size=1000).astype(np.float32)
    values[::7] = np.nan
    whole = count_column(values)
    added = add_histograms([count_column(values[:300]), count_column(values[300:])])
    assert added.values.tolist() == whole.values.tolist()
    assert added.counts.tolist() == whole.counts.tolist()
    assert added.missing == whole.missing == np.isnan(values).sum()


def test_a_profile_is_read_as_it_was_written(tmp_path: Path) -> None:
    profile = make_profile(0, 100, gains={"f1": 2.0})
    write_profile(tmp_path / "p.parquet", profile)
    found = read_profile(tmp_path / "p.parquet")
    assert (found.rows, found.viewers, found.gains) == (100, 100, {"f1": 2.0})
    assert found.features["f3"].counts.tolist() == profile.features["f3"].counts.tolist()
    (tmp_path / "broken").write_bytes(b"no parquet")
    with pytest.raises(ValueError, match=r".+"):
        read_profile(tmp_path / "broken")


def test_distances_are_those_of_their_definitions() -> None:
    rng = np.random.default_rng(0)
    before, now = rng.normal(size=4000).astype(np.float32), rng.normal(0.3, 1, 4000).astype(np.float32)
    distance = compare_histograms("f", count_column(before), count_column(now), (4000, 4000))
    assert distance.ks == pytest.approx(ks_2samp(before, now).statistic, abs=0.01)
    edges = np.quantile(before, np.arange(1, 10) / 10)
    p, q = (np.bincount(np.searchsorted(edges, x), minlength=10) / 4000 for x in (before, now))
    assert distance.psi == pytest.approx(float(((p - q) * np.log(p / q)).sum()), rel=0.1)
    assert distance.js == pytest.approx(jensenshannon(p, q, 2) ** 2, rel=0.1)
    assert distance.shift == pytest.approx(0.3, abs=0.05)


def test_a_small_shift_of_one_of_sixty_features_is_found_and_named_first() -> None:
    found = 0
    for seed in range(5):
        report = compare_profiles(make_profile(seed, 10_000), make_profile(100 + seed, 10_000, shift=0.2))
        found += bool(report.drifted) and report.series[0].name == "f0"
    assert found == 5


def test_quiet_features_do_not_drift() -> None:
    quiet = [compare_profiles(make_profile(seed), make_profile(200 + seed)).action for seed in range(10)]
    assert quiet == [Action.NONE] * 10


def test_few_viewers_are_not_surprised_by_their_many_rows() -> None:
    before, now = make_profile(0, 4000), make_profile(1, 4000, shift=0.2)
    assert compare_profiles(before, now).drifted
    assert not compare_profiles(before, now, (40.0, 40.0)).drifted


@pytest.mark.parametrize(
    ("shift", "gain", "action"),
    [
        (0.2, 0.5, Action.WARN),
        (0.4, 0.5, Action.RETRAIN),
        (1.0, 0.5, Action.BLOCK),
        (1.0, 0.01, Action.RETRAIN),
    ],
)
def test_the_policy_weighs_drift_by_gain(shift: float, gain: float, action: Action) -> None:
    gains = {"f0": gain, "f1": 1 - gain}
    report = compare_profiles(make_profile(0, 8000, gains=gains), make_profile(1, 8000, shift=shift))
    assert report.action is action
    assert "f0" in report.describe()


def test_a_feature_that_loses_its_values_drifts() -> None:
    before = count_column(np.ones(1000, np.float32))
    now = count_column(np.full(1000, np.nan, np.float32))
    distance = compare_histograms("f", before, now, (1000, 1000))
    assert distance.psi > 1
    assert (distance.missing_before, distance.missing_now) == (0.0, 1.0)


def test_false_discovery_rates_are_those_of_benjamini_and_hochberg() -> None:
    assert adjust_p_values([0.01, 0.04, 0.03, 0.5]).tolist() == pytest.approx([0.04, 0.16 / 3, 0.16 / 3, 0.5])


def test_an_empty_profile_adds_nothing() -> None:
    profile = make_profile(0, 50)
    assert add_profiles([profile, Profile({})]).rows == 50
    assert compare_profiles(profile, Profile({})).action is Action.NONE


def test_a_few_viewers_with_most_rows_count_for_fewer() -> None:
    assert count_effective(np.full(50, 7)) == pytest.approx(50)
    assert count_effective(np.array([100, 1, 1])) == pytest.approx(102**2 / 10_002)
    assert count_effective(np.zeros(0, np.int64)) == 0


@pytest.mark.parametrize(
    ("kind", "action"),
    [(Kind.SCORES, Action.BLOCK), (Kind.LABELS, Action.RETRAIN), (Kind.EMBEDDINGS, Action.RETRAIN)],
)
def test_the_policy_weighs_kinds(kind: Kind, action: Action) -> None:
    rng = np.random.default_rng(0)
    before, now = (Profile({"x": count_column(rng.normal(at, 1, 5000).astype(np.float32))}) for at in (0, 1))
    report = compare_kinds({kind: (before, now)}, (5000.0, 5000.0))
    assert report.action is action
    assert f"x (PSI {report.series[0].distance.psi:.3f}, {kind})" in report.describe()


def test_old_embeddings_are_warned_of() -> None:
    report = compare_kinds({}, (5000.0, 5000.0), embeddings_age_h=169.0)
    assert (report.action, report.drifted) == (Action.WARN, [])
    assert "nothing of the last 169 h" in report.describe()


def test_bins_of_both_times_add_up_to_one() -> None:
    before, now = count_column(np.array([0, 0, 1, np.nan], np.float32)), count_column(np.ones(5, np.float32))
    distance = compare_histograms("f", before, now, (4, 5))
    assert distance.edges == (0, 1)
    assert (distance.before, distance.now) == ((0.5, 0.25, 0.25), (0, 1, 0))


def test_every_feature_of_the_calendar_is_left_out() -> None:
    of_time = {feature.name for feature in FEATURES if feature.group == "time"}
    assert of_time - CALENDAR_FEATURES == {"is_search"}
