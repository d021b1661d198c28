"""Preferences for embeddings: the same rules as the taste of one viewer, for all viewers at once."""

from dataclasses import asdict, replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reelrank.index_mappings.event import DAY_MS, EVENT_SCHEMA, OPINION_KINDS, Event, EventKind
from reelrank.index_mappings.item import Document, Item
from reelrank.ranking.embeddings.preferences import select_preferences
from reelrank.ranking.embeddings.watches import Watches
from reelrank.ranking.items.popularity.audience import BOT_HOURS
from reelrank.ranking.items.popularity.bots import find_bots, leave_out_bots
from reelrank.ranking.items.table import ItemTable, build_table
from reelrank.ranking.viewers.history import build_viewer
from reelrank.ranking.viewers.taste import read_taste

ITEMS, USERS = ("alien", "amelie", "heat", "ran"), ("ada", "bob")
HOUR_MS = 3_600_000


def build_table_of(events: list[Event]) -> pa.Table:
    return pa.Table.from_pylist([asdict(event) for event in events], EVENT_SCHEMA)


def list_pairs(watches: Watches) -> dict[tuple[str, str], float]:
    """Returns the largest weight by user and item."""
    matrix = watches.to_user_matrix().tocoo()
    users, items = watches.user_ids.tolist(), [i.decode() for i in watches.item_ids.tolist()]
    cells = zip(matrix.row.tolist(), matrix.col.tolist(), matrix.data.tolist(), strict=True)
    return {(users[row], items[col]): weight for row, col, weight in cells}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> ItemTable:
    items = [Document(Item(name, name)) for name in ITEMS]
    return build_table(tmp_path_factory.mktemp("t") / "t", "items-1", [items], None)


actions = st.lists(
    st.tuples(
        st.sampled_from(("watch", *OPINION_KINDS)), st.sampled_from(USERS), st.sampled_from(ITEMS),
        st.integers(1, 6), st.integers(0, 10),
    ),
    max_size=30,
)  # fmt: skip


@given(given_actions=actions)
@settings(deadline=None)
def test_they_are_what_each_viewer_prefers(
    table: ItemTable, given_actions: list[tuple[EventKind, str, str, int, int]]
) -> None:
    events = [
        Event(f"e{n}", kind, user, at_ms, item, *((tenth, 10) if kind == "watch" else ()))
        for n, (kind, user, item, at_ms, tenth) in enumerate(given_actions)
    ]
    expected: dict[tuple[str, str], float] = {}
    for user in USERS:
        preferred = read_taste(build_viewer(user, [e for e in events if e.user == user], 99), table).preferred
        ids = [i.decode() for i in table.ids[preferred.rows].tolist()]
        expected |= {(user, i): w for i, w in zip(ids, preferred.weights.tolist(), strict=True)}
    found = list_pairs(select_preferences(build_table_of(events), 99))
    assert found == {pair: pytest.approx(weight, rel=1e-5) for pair, weight in expected.items()}


def test_later_events_do_not_count() -> None:
    events = [Event("1", "watch", "ada", 5, "alien", 9, 10), Event("2", "dislike", "ada", 6, "alien")]
    assert list_pairs(select_preferences(build_table_of(events), 6)) == {("ada", "alien"): pytest.approx(0.9)}
    assert list_pairs(select_preferences(build_table_of(events), 7)) == {}


def test_the_newest_watches_of_each_viewer_are_kept() -> None:
    events = [Event(f"{u}{n}", "watch", u, n, f"film{n}", 9, 10) for u in USERS for n in range(9)]
    newest = select_preferences(build_table_of(events), 99).keep_newest(3)
    assert sorted(set(list_pairs(newest))) == [(u, f"film{n}") for u in USERS for n in (6, 7, 8)]
    assert np.all(np.diff(newest.at_ms) >= 0)


def test_who_watches_two_days_in_one_is_a_bot() -> None:
    def watch(user: str, number: int, received_ms: int | None) -> Event:
        event_id, item, two_hours = f"{user}{number}", f"film{number}", 2 * HOUR_MS
        watched = Event(event_id, "watch", user, DAY_MS + number, item, two_hours, two_hours)
        return replace(watched, received_ms=received_ms)

    many, few = round(BOT_HOURS / 2) + 1, round(BOT_HOURS / 2) - 1
    events = [watch("bot", n, 5) for n in range(many)] + [watch("ada", n, 5) for n in range(few)]
    events += [watch("loaded", n, None) for n in range(many)]
    assert find_bots(build_table_of(events)) == {"bot"}


def test_only_what_was_received_of_bots_is_left_out() -> None:
    events = [
        Event(f"{n}", "watch", user, DAY_MS + n, f"film{n}", 2 * HOUR_MS, 2 * HOUR_MS, received_ms=received)
        for n, (user, received) in enumerate([("bot", 5)] * 30 + [("bot", None), ("ada", 5), ("ada", None)])
    ]
    kept, bots = leave_out_bots(build_table_of(events))
    assert bots == ["bot"]
    assert kept["id"].to_pylist() == ["30", "31", "32"]


def test_one_playback_reported_often_makes_no_bot() -> None:
    reports = [
        Event(f"{n}", "watch", "ada", DAY_MS + n, "film", HOUR_MS, 2 * HOUR_MS, received_ms=5)
        for n in range(500)
    ]
    assert find_bots(build_table_of(reports)) == frozenset()
