"""Requests of viewers who return: their last watches are held out of everything that is learned."""

import numpy as np
import pyarrow as pa

from reelrank.index_mappings.event import EVENT_SCHEMA, Event
from reelrank.ranking.training.returning import HELD_OUT_SHARE, MIN_KEPT, hold_out_returning

DAY_MS = 86_400_000
BEFORE_MS = 100 * DAY_MS


def build_watches(user: str, count: int, last_day: int) -> list[Event]:
    days = range(last_day - count + 1, last_day + 1)
    return [Event(f"{user}-{day}", "watch", user, day * DAY_MS, f"film{day}", 9, 10) for day in days]


def build_table(events: list[Event]) -> pa.Table:
    shuffled = [events[n] for n in np.random.default_rng(0).permutation(len(events))]
    return pa.Table.from_pylist(
        [{f: getattr(e, f) for f in EVENT_SCHEMA.names} for e in shuffled], EVENT_SCHEMA
    )


AWAY, ACTIVE, NEW = (
    build_watches("away", 20, 40),
    build_watches("active", 20, 110),
    build_watches("new", 5, 9),
)
EVENTS = build_table([*AWAY, *ACTIVE, *NEW, Event("i1", "impression", "away", DAY_MS, "film1")])


def test_the_last_watches_of_viewers_who_are_away_are_held_out() -> None:
    returning = hold_out_returning(EVENTS, BEFORE_MS, 10)
    held = round(len(AWAY) * HELD_OUT_SHARE)
    assert returning.held_out == {"away": AWAY[-held:]}
    assert len(returning.kept) == len(EVENTS) - held
    assert not set(returning.kept["id"].to_pylist()) & {event.id for event in AWAY[-held:]}


def test_viewers_with_few_watches_keep_all() -> None:
    assert len(NEW) <= MIN_KEPT
    assert "new" not in hold_out_returning(EVENTS, 10**15, 10).held_out


def test_no_more_viewers_than_the_limit_are_held_out() -> None:
    events = build_table([e for n in range(9) for e in build_watches(f"u{n}", 20, 40)])
    returning = hold_out_returning(events, BEFORE_MS, 4)
    assert len(returning.held_out) == 4
    assert len(returning.kept) == 9 * 20 - 4 * 3
    assert hold_out_returning(events, BEFORE_MS, 4).held_out == returning.held_out


def test_a_history_without_watches_holds_nothing_out() -> None:
    assert hold_out_returning(EVENTS.slice(0, 0), BEFORE_MS, 10).held_out == {}
