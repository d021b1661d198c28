"""Baselines rank what the viewer's group watches, and never what the viewer watched before the page."""

from dataclasses import replace

import numpy as np
import pytest

from reelrank.index_mappings.match import ItemIds, encode_item_ids
from reelrank.ranking.embeddings.watches import Watches
from reelrank.ranking.evaluation.baselines import (
    ALS,
    EASE,
    ITEM_KNN,
    PastPages,
    choose_baseline_half_life,
    rank_by_baselines,
    rank_by_popularity,
    sample_pages,
)
from reelrank.ranking.evaluation.intervals import Interval, Verdict, average_by_group, judge_difference

DAY_MS = 86_400_000


def build_watches_of_two_groups() -> Watches:
    """40 viewers who each watch 7 of the ten items of their group, a or b."""
    rng = np.random.default_rng(0)
    item_ids = encode_item_ids(sorted(f"{group}{number}" for group in "ab" for number in range(10)))
    users = np.repeat(np.arange(40), 7)
    items = np.concatenate([rng.permutation(10)[:7] + 10 * (user % 2) for user in range(40)])
    names = np.array([f"u{user:02}" for user in range(40)])
    at_ms = np.arange(len(users), dtype=np.int64)
    ones = np.ones(len(users), np.float32)
    return Watches(names, item_ids, users.astype(np.int32), items.astype(np.int32), at_ms, ones)


def build_popular_watches(*pairs: tuple[str, int]) -> Watches:
    """Watches of different viewers: item and day."""
    item_ids, items = np.unique(encode_item_ids(item for item, _ in pairs), return_inverse=True)
    count = len(pairs)
    return Watches(
        np.array([f"u{number}" for number in range(count)]),
        item_ids,
        np.arange(count, dtype=np.int32),
        items.astype(np.int32),
        np.array([day * DAY_MS for _, day in pairs], np.int64),
        np.ones(count, np.float32),
    )


@pytest.fixture(scope="module")
def ranked() -> dict[str, list[ItemIds]]:
    pages = PastPages(np.full(2, 10**6), [encode_item_ids(["a1", "a2", "zz"]), encode_item_ids(["b5"])])
    return rank_by_baselines(build_watches_of_two_groups(), pages)


@pytest.mark.parametrize("system", [EASE, ITEM_KNN, ALS])
def test_the_group_of_the_viewer_comes_first(ranked: dict[str, list[ItemIds]], system: str) -> None:
    first, second = ranked[system]
    assert {item[:1] for item in first[:8].tolist()} == {b"a"}
    assert {item[:1] for item in second[:9].tolist()} == {b"b"}


@pytest.mark.parametrize("system", [EASE, ITEM_KNN, ALS])
def test_what_was_watched_is_not_ranked(ranked: dict[str, list[ItemIds]], system: str) -> None:
    first, second = ranked[system]
    assert not {b"a1", b"a2", b"zz"} & set(first.tolist())
    assert (len(first), len(second)) == (18, 19)


def test_popularity_counts_what_was_watched_before_the_page() -> None:
    watches = build_popular_watches(("a", 0), ("a", 1), ("b", 2), ("c", 9))
    pages = PastPages(np.array([3, 10]) * DAY_MS, [encode_item_ids([]), encode_item_ids(["a"])])
    before, after = rank_by_popularity(watches, pages, float("inf"))
    assert before.tolist() == [b"a", b"b"]
    assert after.tolist() == [b"b", b"c"]


def test_a_short_half_life_ranks_the_newest_first() -> None:
    watches = build_popular_watches(("a", 0), ("a", 1), ("b", 40))
    pages = PastPages(np.array([50 * DAY_MS]), [encode_item_ids([])])
    assert rank_by_popularity(watches, pages, 7.0)[0].tolist() == [b"b", b"a"]
    assert rank_by_popularity(watches, pages, 3650.0)[0].tolist() == [b"a", b"b"]


def test_the_half_life_with_the_best_measure_is_chosen() -> None:
    watches = build_popular_watches(("a", 0), ("a", 1), ("b", 40))
    pages = PastPages(np.array([50 * DAY_MS]), [encode_item_ids([])])
    assert choose_baseline_half_life(watches, pages, [encode_item_ids(["a"])]) > 30
    assert choose_baseline_half_life(watches, pages, [encode_item_ids(["b"])]) <= 30


def test_sampled_pages_know_the_past_and_are_judged_by_the_day_after() -> None:
    items = [f"i{number}" for number in range(8)]
    watches = build_popular_watches(*((item, day) for day, item in enumerate(items)))
    one_viewer = replace(watches, users=np.zeros(8, np.int32))
    pages, relevant = sample_pages(one_viewer, (6 * DAY_MS, 8 * DAY_MS))
    assert pages.at_ms.tolist() == [6 * DAY_MS, 7 * DAY_MS]
    assert [len(seen) for seen in pages.seen] == [6, 7]
    assert [ids.tolist() for ids in relevant] == [[b"i6"], [b"i7"]]


@pytest.mark.parametrize(
    ("low", "high", "count", "verdict"),
    [
        (0.001, 0.02, 10, Verdict.BETTER),
        (-0.02, -0.001, 10, Verdict.WORSE),
        (-0.009, 0.02, 500, Verdict.NOT_WORSE),
        (-0.009, 0.02, 499, Verdict.UNDECIDED),
        (-0.011, 0.02, 500, Verdict.UNDECIDED),
    ],
)
def test_a_verdict_needs_a_narrow_interval(low: float, high: float, count: int, verdict: Verdict) -> None:
    assert judge_difference(Interval((low + high) / 2, low, high), count, 500) is verdict


def test_each_viewer_counts_once_however_many_pages_they_saw() -> None:
    values = np.array([[1.0], [0.0], [0.0], [0.0]])
    assert average_by_group(values, np.array(["b", "a", "a", "b"])).tolist() == [[0.0], [0.5]]
