"""Taste: what a viewer's watches, skips and opinions say, in any order of the events."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reelrank.index_mappings.event import DAY_MS, OPINION_KINDS, Event, EventKind
from reelrank.index_mappings.item import Document, Item
from reelrank.ranking.items.engagements import (
    QUICK_SKIP_MS,
    compute_watched_share,
    compute_watched_shares,
    is_skipped,
)
from reelrank.ranking.items.table import ItemTable, build_table
from reelrank.ranking.viewers.history import build_viewer
from reelrank.ranking.viewers.taste import Taste, read_taste

NOW_MS = 100 * DAY_MS
ITEMS = ("alien", "amelie", "heat", "ran")
MINUTE_MS = 60_000


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> ItemTable:
    items = [Document(Item(name, name, duration_s=6000 if name == "heat" else None)) for name in ITEMS]
    return build_table(tmp_path_factory.mktemp("t") / "t", "items-1", [items], None)


def watch(item: str, watched_ms: int | None, duration_ms: int | None = 6_000_000, at_ms: int = 1) -> Event:
    return Event(f"{item}-{at_ms}", "watch", "ada", at_ms, item, watched_ms, duration_ms)


def judge(kind: EventKind, item: str, at_ms: int = 2) -> Event:
    return Event(f"{kind}-{item}-{at_ms}", kind, "ada", at_ms, item)


def read(table: ItemTable, *events: Event) -> tuple[list[str], list[str]]:
    """Returns the preferred and the rejected items, newest first."""
    taste = read_taste(build_viewer("ada", events, NOW_MS), table)
    groups = (taste.preferred.rows, taste.rejected)
    preferred, rejected = ([i.decode() for i in table.ids[rows].tolist()] for rows in groups)
    return preferred, rejected


def test_a_skip_is_rejected_and_a_watch_is_preferred(table: ItemTable) -> None:
    assert read(table, watch("alien", 20_000), watch("ran", 3_000_000)) == (["ran"], ["alien"])


def test_a_skip_that_is_liked_is_preferred(table: ItemTable) -> None:
    assert read(table, watch("alien", 20_000), judge("like", "alien")) == (["alien"], [])


def test_a_watch_that_is_disliked_is_rejected(table: ItemTable) -> None:
    assert read(table, watch("alien", 6_000_000), judge("dislike", "alien")) == ([], ["alien"])


def test_likes_and_subscriptions_weigh_like_a_whole_watch(table: ItemTable) -> None:
    events = [judge("like", "alien"), judge("subscribe", "ran"), watch("heat", 3_000_000, at_ms=2)]
    preferred = read_taste(build_viewer("ada", events, NOW_MS), table).preferred
    weights = dict(zip(table.ids[preferred.rows].tolist(), preferred.weights.tolist(), strict=True))
    assert weights == {b"alien": 1, b"ran": 1, b"heat": 0.5}


def test_many_reports_of_one_playback_count_once(table: ItemTable) -> None:
    reports = [watch("alien", minute * MINUTE_MS, at_ms=minute) for minute in range(1, 81)]
    taste = read_taste(build_viewer("ada", [*reports, watch("ran", 6_000_000)], NOW_MS), table)
    assert table.ids[taste.preferred.rows].tolist() == [b"alien", b"ran"]
    assert taste.watched_share.tolist() == pytest.approx([0.8, 1])


def test_a_film_begun_again_is_not_left(table: ItemTable) -> None:
    assert read(table, watch("alien", 6_000_000, at_ms=1), watch("alien", 9, at_ms=5)) == (["alien"], [])


@pytest.mark.parametrize(
    ("item", "watched_ms", "is_rejected"),
    [
        ("alien", QUICK_SKIP_MS - 1, True),
        ("alien", QUICK_SKIP_MS, False),
        ("alien", None, False),
        ("heat", 10 * MINUTE_MS, True),
        ("heat", 30 * MINUTE_MS, False),
    ],
)
def test_an_unknown_duration_has_a_rule(
    table: ItemTable, item: str, watched_ms: int | None, is_rejected: bool
) -> None:
    """The catalogue's duration counts; where it states none either, a minute does."""
    preferred, rejected = read(table, watch(item, watched_ms, None))
    assert (preferred, rejected) == (([], [item]) if is_rejected else ([item], []))


def test_judged_items_are_seen_until_the_opinion_is_undone() -> None:
    kinds = dict(zip(ITEMS, OPINION_KINDS, strict=False))
    events = [judge(kind, item) for item, kind in kinds.items()]
    assert set(build_viewer("ada", events, NOW_MS).seen) == {item.encode() for item in ITEMS}
    undone = [*events, *(judge("undo", item, 3) for item in ITEMS)]
    assert build_viewer("ada", undone, NOW_MS).seen.tolist() == []


actions = st.lists(
    st.tuples(
        st.sampled_from(("watch", *OPINION_KINDS)),
        st.sampled_from(ITEMS),
        st.integers(1, 9),
        st.integers(0, 10),
    ),
    max_size=25,
)


def build_events(given_actions: list[tuple[EventKind, str, int, int]]) -> list[Event]:
    return [
        Event(f"e{n}", kind, "ada", at_ms, item, *((tenth, 10) if kind == "watch" else ()))
        for n, (kind, item, at_ms, tenth) in enumerate(given_actions)
    ]


def describe(taste: Taste) -> tuple[object, ...]:
    preferred = taste.preferred
    return (preferred.rows.tolist(), preferred.weights.tolist(), taste.rejected.tolist(),
            np.nan_to_num(taste.watched_share, nan=-1).tolist())  # fmt: skip


@given(given_actions=actions, seed=st.integers(0, 999))
def test_the_order_of_events_does_not_matter(
    table: ItemTable, given_actions: list[tuple[EventKind, str, int, int]], seed: int
) -> None:
    events = build_events(given_actions)
    shuffled = [events[n] for n in np.random.default_rng(seed).permutation(len(events)).tolist()]
    first, second = (build_viewer("ada", each, NOW_MS) for each in (events, shuffled))
    assert describe(read_taste(first, table)) == describe(read_taste(second, table))
    assert set(first.seen) == set(second.seen)


@given(given_actions=actions, kind=st.sampled_from(OPINION_KINDS), item=st.sampled_from(ITEMS))
@settings(max_examples=200)
def test_undo_restores_the_state_exactly(
    table: ItemTable, given_actions: list[tuple[EventKind, str, int, int]], kind: EventKind, item: str
) -> None:
    """Whatever was said about an item, undo leaves the viewer as if nothing had been."""
    events = build_events(given_actions)
    silent = [event for event in events if event.kind == "watch" or event.item != item]
    undone = [*events, judge(kind, item, 10), judge("undo", item, 11)]
    before, after = (build_viewer("ada", each, NOW_MS) for each in (silent, undone))
    assert describe(read_taste(before, table)) == describe(read_taste(after, table))
    assert set(before.seen) == set(after.seen)


@given(
    st.lists(
        st.tuples(st.none() | st.integers(-5, 10**9), st.none() | st.integers(-5, 10**9)),
        min_size=1,
        max_size=9,
    )
)
def test_shares_of_one_event_and_of_many_agree(times: list[tuple[int | None, int | None]]) -> None:
    watched, duration = (np.array(column, np.float64) for column in zip(*times, strict=True))
    single = [compute_watched_share(*pair) for pair in times]
    np.testing.assert_allclose(compute_watched_shares(watched, duration), single, rtol=1e-6)


def test_an_unknown_share_is_no_skip() -> None:
    assert is_skipped(np.array([0.19, 0.2, np.nan], np.float32)).tolist() == [True, False, False]


def test_newer_preferences_weigh_more(table: ItemTable) -> None:
    events = [watch("alien", 6_000_000, at_ms=DAY_MS), watch("ran", 6_000_000, at_ms=31 * DAY_MS)]
    preferred = read_taste(build_viewer("ada", events, NOW_MS), table).preferred
    assert preferred.weights.tolist() == pytest.approx([1, 0.5])


def test_a_dislike_is_newer_than_an_old_watch(table: ItemTable) -> None:
    events = [watch("alien", 9, at_ms=50), replace(judge("dislike", "ran"), at_ms=60)]
    assert read(table, *events) == ([], ["ran", "alien"])
