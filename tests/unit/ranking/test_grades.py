"""Grades of plays: what the labels share, what they differ in, and the correction for duration."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import percentileofscore, spearmanr

from reelrank.index_mappings.event import Event
from reelrank.ranking.labels.duration_groups import fit_duration_groups
from reelrank.ranking.labels.grades import Grader, Label, build_grader, grade_shown_items
from reelrank.ranking.labels.watch_time import find_relevant

MINUTE = 60_000.0


def make_watches(plays: int = 4000, seed: int = 0) -> pa.Table:
    """Makes plays in which a longer item is watched longer but to a smaller share."""
    rng = np.random.default_rng(seed)
    duration = rng.integers(5, 180, plays) * MINUTE
    watched = np.minimum(duration, np.sqrt(duration * MINUTE) * rng.gamma(2, 2, plays))
    return pa.table({"watched_ms": watched.astype(np.int64), "duration_ms": duration.astype(np.int64)})


WATCHES = make_watches()
TIMES = tuple(WATCHES[name].to_numpy().astype(np.float64) for name in ("watched_ms", "duration_ms"))


times = st.none() | st.integers(-(10**7), 10**7)


@given(st.lists(st.tuples(times, times), max_size=20))
def test_labels_agree_on_what_is_relevant(plays: list[tuple[int | None, int | None]]) -> None:
    watched, duration = np.array(plays, np.float64).reshape(-1, 2).T
    grades = [build_grader(label, WATCHES).grade_plays(watched, duration) for label in Label]
    for each in grades:
        assert ((each > 0) == (grades[0] > 0)).all()
        assert ((each >= 0) & (each <= 3)).all()


@pytest.mark.parametrize(
    ("label", "grades"),
    [
        (Label.WATCHED_SHARE, [0, 1, 2, 3, 3, 1]),
        (Label.COMPLETION, [0, 1, 1, 1, 3, 1]),
        (Label.PLAYED, [0, 1, 1, 1, 1, 1]),
    ],
)
def test_a_label_grades_shares(label: Label, grades: list[int]) -> None:
    shares = np.array([0.1, 0.3, 0.5, 0.8, 0.95, np.nan])
    assert Grader(label).grade_plays(shares * 1e6, np.full(6, 1e6)).tolist() == grades


def test_corrected_watch_time_does_not_depend_on_duration() -> None:
    watched, duration = TIMES
    corrected = fit_duration_groups(watched, duration).compute_quantiles(watched, duration)
    assert spearmanr(watched, duration).statistic > 0.4
    assert spearmanr(watched / duration, duration).statistic < -0.4
    assert abs(spearmanr(corrected, duration).statistic) < 0.05


def test_quantiles_are_those_of_the_plays_of_the_group() -> None:
    watched, duration = TIMES
    groups = fit_duration_groups(watched, duration)
    group_of_play = np.searchsorted(groups.edges_ms, duration, side="right")
    assert np.bincount(group_of_play).min() > len(watched) / 20
    for row in range(0, 200, 20):
        expected = percentileofscore(watched[group_of_play == group_of_play[row]], watched[row], "mean") / 100
        assert groups.compute_quantiles(watched, duration)[row] == pytest.approx(expected, abs=0.02)


def test_few_plays_make_few_groups_and_none_are_refused() -> None:
    watched, duration = (column[:60] for column in TIMES)
    assert len(fit_duration_groups(watched, duration).watched_ms) == 1
    with pytest.raises(ValueError, match="watched_ms and duration_ms"):
        fit_duration_groups(np.full(3, np.nan), np.full(3, 1.0))


def test_items_of_one_duration_are_one_group() -> None:
    watched = np.arange(1000.0)
    quantiles = fit_duration_groups(watched, np.full(1000, 7.0)).compute_quantiles(
        watched, np.full(1000, 7.0)
    )
    assert quantiles == pytest.approx(watched / 1000, abs=0.02)


def test_without_times_the_corrected_label_is_the_watched_share() -> None:
    unknown = pa.table({"watched_ms": pa.array([None, None], pa.int64()), "duration_ms": pa.array([1, 2])})
    grader = build_grader(Label.DURATION_CORRECTED, unknown)
    assert grader.grade_plays(*TIMES).tolist() == Grader().grade_plays(*TIMES).tolist()


def test_an_opinion_about_a_shown_item_outweighs_its_watch() -> None:
    rows = pa.table(
        {
            "watched_ms": pa.array([900, 900, None, None, 100], pa.int64()),
            "duration_ms": pa.array([1000, 1000, None, None, 1000], pa.int64()),
            "played": [True, True, False, False, True],
            "liked": [False, False, True, False, False],
            "disliked": [False, True, False, False, False],
        }
    )
    assert grade_shown_items(rows, Grader()).tolist() == [3, 0, 3, 0, 0]


def test_a_page_is_graded_by_the_label_it_is_given() -> None:
    watches = [
        Event(f"e{n}", "watch", "u", 10 + n, f"film{n}", watched_ms=ms, duration_ms=100)
        for n, ms in enumerate([50, 95, 5])
    ]
    assert find_relevant(watches, 0, set()) == {"film0": 2.0, "film1": 3.0}
    assert find_relevant(watches, 0, set(), Grader(Label.PLAYED)) == {"film0": 1.0, "film1": 1.0}


def test_what_is_relevant_is_not_cut_however_much_is_watched() -> None:
    watches = [Event(f"e{n}", "watch", "u", n, f"film{n}", watched_ms=95, duration_ms=100) for n in range(70)]
    assert len(find_relevant(watches, 0, set())) == 70
