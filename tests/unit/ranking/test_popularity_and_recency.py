"""Popular and newest items: decayed counts, and lists that are equal to those of a full sort."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from reelrank.index_mappings.event import DAY_MS, EVENT_SCHEMA, Event
from reelrank.index_mappings.item import Document, Item
from reelrank.ranking.items.builder import UNKNOWN_DAY
from reelrank.ranking.items.popularity import counters, half_lives
from reelrank.ranking.items.popularity.counters import Popularity
from reelrank.ranking.items.popularity.event_counts import build_popularity
from reelrank.ranking.items.popularity.exposures import DailyFirsts
from reelrank.ranking.items.popularity.half_lives import HALF_LIVES_DAYS
from reelrank.ranking.items.table import ItemTable, Rows, build_table
from reelrank.ranking.retrieval.recency import find_newest
from tests.unit.ranking.watching import build_watches, count

DAYS = 1500
"""Longer than reelrank.ranking.items.popularity.counters.ORIGIN_DAYS, so that the origin moves."""


def accept_all(rows: Rows) -> NDArray[np.bool_]:
    return np.ones(len(rows), bool)


def accept_even(rows: Rows) -> NDArray[np.bool_]:
    return np.asarray(rows % 2 == 0)


def test_recent_watches_weigh_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(half_lives, "SMOOTHING_WATCHES", 0)
    popularity = count(2, build_watches([1], 0, days=1), build_watches([2], 1, days=2))
    assert popularity.compute_shares(np.array([0, 1]))[:, 0].tolist() == pytest.approx([1 / 3, 2 / 3])
    assert popularity.compute_shares(np.array([-1])).tolist() == [[0, 0, 0, 0, 0]]


def test_a_late_event_counts_like_one_in_time() -> None:
    first, second = build_watches([1], 0, days=1), build_watches([2], 1, days=3)
    rows = np.array([0, 1])
    early, late = count(2, first, second), count(2, second, first)
    np.testing.assert_allclose(early.compute_shares(rows), late.compute_shares(rows), rtol=1e-6)


def test_watches_count_by_share_and_unknown_items_are_ignored(tmp_path: Path) -> None:
    items = [Document(Item("alien", "Alien")), Document(Item("amelie", "Amélie"))]
    table = build_table(tmp_path / "t", "items-1", [items], None)
    events = [
        Event("1", "watch", "ada", DAY_MS, "alien", 50, 100, "r"),
        Event("2", "watch", "ada", DAY_MS, "amelie", None, None, "r"),
        Event("3", "watch", "ada", DAY_MS, "gone", 9, 9),
        Event("4", "watch", "bob", DAY_MS, "alien", 10, 100),
    ]
    batch = pa.RecordBatch.from_pylist([asdict(event) for event in events], EVENT_SCHEMA)
    popularity = build_popularity(table, [batch])
    assert popularity.compute_shares(np.array([0, 1]))[:, 1].tolist() == pytest.approx([1 / 3, 2 / 3])
    assert popularity.exposures.compute_posterior(np.array([0, 1, -1]), popularity.now_ms).alpha.tolist() == [
        2,
        2,
        1,
    ]
    rows, shares = popularity.find_most_watched(1, accept_all)
    assert (rows.tolist(), shares.tolist()) == ([1], pytest.approx([2 / 3]))


@pytest.mark.parametrize("allowed", [accept_all, accept_even])
@pytest.mark.parametrize("half_life", HALF_LIVES_DAYS)
def test_the_most_watched_are_those_of_a_full_sort(
    allowed: counters.RowFilter, half_life: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counters, "HEAD_ROWS", 20)
    rng = np.random.default_rng(3)
    popularity, column = Popularity(300), HALF_LIVES_DAYS.index(half_life)
    for day in range(0, DAYS, 25):
        viewers = rng.integers(0, 400, 40)
        days, shares = day + rng.integers(0, 40, 40), rng.random(40)
        popularity.add_watches(
            build_watches(
                viewers.tolist(), (rng.zipf(1.3, 40) % 300).tolist(), days.tolist(), shares.tolist()
            )
        )
        expected_shares = popularity.compute_shares(np.arange(300))[:, column]
        order = np.lexsort((np.arange(300), -expected_shares.astype(np.float64)))
        expected = order[allowed(order) & (expected_shares[order] > 0)][:15]
        found, found_shares = popularity.find_most_watched(15, allowed, half_life)
        np.testing.assert_array_equal(found_shares[: len(expected)], expected_shares[expected])
        assert set(found[found_shares > 1e-6]) == set(expected[expected_shares[expected] > 1e-6])


def test_counts_outlive_years_of_decay() -> None:
    popularity = count(2, build_watches([1], 0, days=1), build_watches([2], 0, days=DAYS))
    share = popularity.compute_shares(np.array([0, 1]))
    assert share[0].tolist() == pytest.approx([1, 1, 1, 1, 1], rel=0.03)
    assert share[1].tolist() == [0, 0, 0, 0, 0]


def test_a_window_in_which_few_watched_has_the_shares_of_a_longer_one() -> None:
    popularity = count(2, build_watches(range(100), 0, days=1), build_watches([100, 101], 1, days=40))
    shares = popularity.compute_shares(np.arange(2))
    assert shares[0].tolist() == pytest.approx([shares[0, -1]] * 5, rel=0.01)


def test_a_window_in_which_many_watched_has_its_own_shares() -> None:
    popularity = count(2, build_watches(range(9000), 0, days=1), build_watches(range(9000), 1, days=40))
    assert popularity.compute_shares(np.array([1]))[0, [0, 4]] == pytest.approx([0.95, 0.5], abs=0.01)


def test_repeats_of_a_day_count_once_per_viewer_and_item() -> None:
    firsts = DailyFirsts()
    viewers, rows = np.array([1, 1, 1, 2, 1], np.uint64), np.array([5, 5, 6, 5, 5])
    assert firsts.find(viewers, rows, np.array([9, 9, 9, 9, 8])).tolist() == [0, 2, 3, 4]
    assert firsts.find(viewers, rows, np.full(5, 9)).tolist() == []
    assert firsts.find(viewers, rows, np.array([10, 9, 10, 9, 10])).tolist() == [0, 2]


def test_firsts_of_a_day_are_found_in_any_order_of_viewers() -> None:
    firsts = DailyFirsts()
    for viewer in (7, 2, 9, 4):
        assert firsts.find(np.array([viewer], np.uint64), np.array([5]), np.array([9])).tolist() == [0]
    again = firsts.find(np.array([9, 3, 2, 4, 7], np.uint64), np.full(5, 5), np.full(5, 9))
    assert again.tolist() == [1]


def test_click_through_returns_to_the_prior_over_time() -> None:
    popularity = Popularity(1)
    one = np.ones(1, np.float32)
    for kind in ("impression", "click", "engagement")[:2]:
        popularity.add_exposures(kind, np.array([0]), np.array([DAY_MS]), one)
    assert popularity.compute_ctr(np.array([0, -1])) == pytest.approx([2 / 21, np.nan], nan_ok=True)
    popularity.add_exposures("impression", np.array([0]), np.array([DAYS * DAY_MS]), one * 0)
    assert popularity.compute_ctr(np.array([0])) == pytest.approx([1 / 20])


@pytest.fixture
def dated(tmp_path: Path) -> ItemTable:
    """Builds a table of 3,000 items, several per day and every seventh without a date."""
    rng = np.random.default_rng(4)
    days = [None if n % 7 == 0 else datetime(2000 + int(d) // 12, 1 + int(d) % 12, 1, tzinfo=UTC)
            for n, d in enumerate(rng.integers(0, 200, 3000))]  # fmt: skip
    documents = [Document(Item(f"i{n:04}", "Any", published_at=day)) for n, day in enumerate(days)]
    return build_table(tmp_path / "t", "items-1", [documents], None)


@pytest.mark.parametrize("allowed", [accept_all, accept_even, lambda rows: rows == 2998])
def test_the_newest_are_those_of_a_full_sort(dated: ItemTable, allowed: counters.RowFilter) -> None:
    order = np.lexsort((np.arange(3000), -dated.published_day.astype(np.int64)))
    expected = order[allowed(order) & (dated.published_day[order] != UNKNOWN_DAY)][:1100]
    assert find_newest(dated, 1100, allowed).tolist() == expected.tolist()
