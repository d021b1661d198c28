"""The contract of every event store."""

from dataclasses import asdict
from typing import get_args

import pyarrow as pa

from reelrank.index_mappings.errors import BadRequest
from reelrank.index_mappings.event import EVENT_FIELDS, EVENT_KINDS, EVENT_SCHEMA, Event, EventKind
from reelrank.index_mappings.event_store import EventStore, PastEvent, select_event_schema
from tests.raised import raises_code

SOON_S = 5.0


def build_watch(event_id: str, at_ms: int, user_id: str = "ada") -> Event:
    return Event(
        event_id,
        "watch",
        user_id,
        at_ms,
        "alien",
        watched_ms=60,
        duration_ms=100,
        position=3,
        degraded="bm25",
        simulated=True,
    )


def test_an_event_is_read_as_it_was_written(events: EventStore) -> None:
    explored = Event(
        "2", "impression", "ada", 4, "alien", request_id="r", position=0, propensity=0.1 + 0.2, came_from=0
    )
    given = [build_watch("1", 5), explored]
    assert (events.append(given).stored, events.recent("ada", 10, SOON_S)) == (2, given)


def test_an_event_id_is_stored_once_within_and_across_batches(events: EventStore) -> None:
    first = events.append([build_watch("1", 5), build_watch("1", 6), build_watch("2", 7)])
    again = events.append([build_watch("2", 8)])
    assert (first.stored, first.duplicates) == (2, 1)
    assert (again.stored, again.duplicates) == (0, 1)
    assert events.count() == 2


def test_recent_returns_the_events_of_a_viewer_newest_first(events: EventStore) -> None:
    events.append([build_watch("1", 5), build_watch("2", 9), build_watch("3", 7), build_watch("4", 8, "bob")])
    assert [e.id for e in events.recent("ada", 2, SOON_S)] == ["2", "3"]


def test_recent_applies_its_limit_to_the_requested_kinds(events: EventStore) -> None:
    shown = [Event(f"i{n}", "impression", "ada", 100 + n, "alien") for n in range(20)]
    events.append([build_watch("1", 5), Event("2", "like", "ada", 6, "alien"), *shown])
    assert [e.id for e in events.recent("ada", 5, SOON_S, ("watch", "like"))] == ["2", "1"]
    assert [e.id for e in events.recent("ada", 2, SOON_S, ("impression",))] == ["i19", "i18"]
    assert events.recent("ada", 5, SOON_S, ()) == []


def test_the_past_is_what_recent_returns_in_fewer_fields(events: EventStore) -> None:
    search = Event("2", "search", "ada", 6, text="space")
    shown = [Event(f"i{n}", "impression", "ada", 100 + n, "alien", request_id="r") for n in range(3)]
    events.append([build_watch("1", 5), search, *shown, build_watch("3", 7, "bob")])
    for limit, kinds in ((5, EVENT_KINDS), (2, ("impression",)), (1, ("watch", "search")), (5, ())):
        expected = [
            tuple(getattr(event, name) for name in PastEvent._fields)
            for event in events.recent("ada", limit, SOON_S, kinds)
        ]
        assert events.past("ada", limit, SOON_S, kinds) == expected
    assert events.past("ada", 1, SOON_S, ("search",)) == [("2", "search", 6, "", None, None, "space")]
    assert events.past("unknown", 5, SOON_S, EVENT_KINDS) == []


def test_scan_sorts_by_time_then_id_and_excludes_its_end(events: EventStore) -> None:
    events.append([build_watch("b", 5), build_watch("a", 5), build_watch("c", 4), build_watch("d", 6)])
    batches = list(events.scan(4, 6))
    assert all(batch.schema == EVENT_SCHEMA for batch in batches)
    assert [name for batch in batches for name in batch.column("id").to_pylist()] == ["c", "a", "b"]


def test_scan_selects_kinds_and_columns_in_the_order_asked(events: EventStore) -> None:
    shown = Event("i", "impression", "ada", 6, "heat", surface="home")
    viewed = Event("v", "viewed", "bob", 7, "heat", received_ms=8)
    events.append([build_watch("w", 5), viewed, shown])
    columns = ("surface", "kind", "received_ms", "simulated")
    batches = list(events.scan(0, 10, ("watch", "viewed", "impression"), columns))
    assert all(batch.schema == select_event_schema(columns) for batch in batches)
    assert [tuple(row.values()) for batch in batches for row in batch.to_pylist()] == [
        ("", "watch", None, True),
        ("home", "impression", None, False),
        ("", "viewed", 8, False),
    ]
    (watches,) = events.scan(0, 10, ("watch",))
    assert (watches.schema, watches.column("id").to_pylist()) == (EVENT_SCHEMA, ["w"])
    assert list(events.scan(0, 10, ())) == []
    with raises_code(BadRequest, "unknown_event_field"):
        list(events.scan(0, 10, columns=("mood",)))


def test_a_scan_of_some_kinds_goes_past_many_others(events: EventStore) -> None:
    shown = [Event(f"i{n:05}", "impression", "ada", 100 + n, "alien") for n in range(12_000)]
    events.append([*shown, build_watch("first", 1), build_watch("last", 20_000)])
    found = [name for batch in events.scan(0, 2**62, ("watch",), ("id",)) for name in batch["id"].to_pylist()]
    assert found == ["first", "last"]
    ids = [name for batch in events.scan(0, 2**62, columns=("id",)) for name in batch["id"].to_pylist()]
    assert ids == ["first", *(event.id for event in shown), "last"]


def test_every_field_of_an_event_comes_back(events: EventStore) -> None:
    numbers = {"count": 3, "probability": 0.25, "flag": True}
    values = {
        field.name: get_args(field.python_type)[-1]
        if field.name == "surface"
        else numbers.get(field.type.name, f"a {field.name}" if field.type.arrow == pa.string() else 2**40)
        for field in EVENT_FIELDS
    }
    event = Event(**{**values, "kind": "impression", "at_ms": 9})  # type: ignore[arg-type]  # by name
    events.append([event])
    assert events.recent(event.user, 1, SOON_S) == [event]
    assert events.follow(None)[0].to_pylist() == [asdict(event)]


def test_follow_returns_each_event_once_in_order_of_acknowledgement(events: EventStore) -> None:
    events.append([build_watch("late", 9)])
    first, position = events.follow(None)
    events.append([build_watch("early", 1)])
    second, position = events.follow(position)
    third, _ = events.follow(position)
    assert [batch.column("id").to_pylist() for batch in (first, second, third)] == [["late"], ["early"], []]


def test_watched_items_are_the_distinct_items_of_a_viewer(events: EventStore) -> None:
    events.append([build_watch("1", 5), build_watch("2", 6), build_watch("3", 7, "bob")])
    events.append([Event("4", "watch", "ada", 9, "heat"), Event("5", "watch", "bob", 9, "dune")])
    assert events.watched_items("ada", SOON_S) == {"alien", "heat"}
    assert events.watched_items("unknown", SOON_S) == frozenset()


def test_items_only_shown_clicked_or_liked_are_not_watched(events: EventStore) -> None:
    kinds: tuple[EventKind, ...] = ("impression", "click", "like", "subscribe", "search")
    events.append([build_watch("w", 5), *(Event(kind, kind, "ada", 6, kind) for kind in kinds)])
    assert events.watched_items("ada", SOON_S) == {"alien"}


def test_watched_items_are_complete_among_thousands_of_events(events: EventStore) -> None:
    often = [build_watch(f"w{n}", 100 + n) for n in range(1500)]
    shown = [Event(f"i{n}", "impression", "ada", 5000 + n, "shown") for n in range(1500)]
    films = [Event(f"f{n}", "watch", "ada", n, f"film{n}") for n in range(1200)]
    events.append([*films, *often, *shown])
    assert events.watched_items("ada", SOON_S) == {"alien", *(event.item for event in films)}


def test_the_newest_opinion_on_each_item_counts(events: EventStore) -> None:
    given: list[tuple[EventKind, str, int]] = [
        ("like", "alien", 1), ("dislike", "alien", 2), ("like", "heat", 3), ("undo", "heat", 4),
        ("undo", "ran", 5), ("subscribe", "ran", 6), ("watch", "zodiac", 7), ("not_interested", "m", 8),
    ]  # fmt: skip
    events.append([Event(f"e{n}", kind, "ada", at_ms, item) for n, (kind, item, at_ms) in enumerate(given)])
    events.append([Event("other", "like", "bob", 9, "zodiac")])
    assert events.opinions("ada", SOON_S) == {"alien": "dislike", "m": "not_interested", "ran": "subscribe"}
    assert events.opinions("unknown", SOON_S) == {}


def test_of_two_opinions_at_the_same_time_the_smaller_id_counts(events: EventStore) -> None:
    events.append([Event("b", "like", "ada", 1, "alien"), Event("a", "dislike", "ada", 1, "alien")])
    events.append([Event("c", "undo", "ada", 1, "alien")])
    assert events.opinions("ada", SOON_S) == {"alien": "dislike"}


def test_withdrawn_events_are_in_no_answer_and_may_come_again(events: EventStore) -> None:
    events.append([build_watch(f"w{n}", 100 + n) for n in range(20)])
    events.append([build_watch("other", 5, "bob"), Event("like", "like", "ada", 6, "heat")])
    assert events.withdraw([*(f"w{n}" for n in range(1, 20)), "like", "unknown"]) == 20
    assert events.withdraw(["w1"]) == 0
    assert [event.id for event in events.recent("ada", 50, SOON_S)] == ["w0"]
    assert [name for batch in events.scan(0, 10_000) for name in batch["id"].to_pylist()] == ["other", "w0"]
    assert events.opinions("ada", SOON_S) == {}
    assert sorted(events.follow(None)[0].column("id").to_pylist()) == ["other", "w0"]
    assert events.count() == 2
    assert events.append([build_watch("w1", 101)]).stored == 1
    assert [event.id for event in events.recent("ada", 50, SOON_S)] == ["w1", "w0"]


def test_the_mark_of_withdrawals_changes_with_each_and_with_nothing_else(events: EventStore) -> None:
    assert events.withdrawal_mark() == ""
    assert events.withdraw(["1"]) == 0
    events.append([build_watch(str(n), n) for n in range(5)])
    assert events.withdraw(["unknown"]) == 0
    assert events.withdrawal_mark() == ""
    events.withdraw(["1"])
    first = events.withdrawal_mark()
    events.append([build_watch("9", 9)])
    assert events.withdrawal_mark() == first != ""
    events.withdraw(["2"])
    assert events.withdrawal_mark() not in ("", first)


def test_a_follower_goes_on_after_a_withdrawal(events: EventStore) -> None:
    events.append([build_watch(str(n), n) for n in range(5)])
    _, position = events.follow(None)
    events.withdraw(["4"])
    events.append([build_watch("5", 5)])
    batch, position = events.follow(position)
    assert batch.column("id").to_pylist() == ["5"]
    assert len(events.follow(position)[0]) == 0


def test_an_erased_viewer_has_no_event_and_others_keep_theirs(events: EventStore) -> None:
    events.append([build_watch("1", 5), build_watch("2", 9, "bob"), build_watch("3", 7)])
    (found,) = [batch.column("id").to_pylist() for batch in events.scan_user("ada")]
    assert found == ["1", "3"]
    mark = events.withdrawal_mark()
    assert events.erase_user("ada") == 2
    assert events.withdrawal_mark() != mark
    assert (events.recent("ada", 5, SOON_S), events.watched_items("ada", SOON_S)) == ([], frozenset())
    assert [e.id for e in events.recent("bob", 5, SOON_S)] == ["2"]
    events.purge("ada")
    assert (events.count(), events.erase_user("ada"), list(events.scan_user("ada"))) == (1, 0, [])


def test_the_events_of_unknown_viewers_are_never_erased(events: EventStore) -> None:
    events.append([build_watch("1", 5, "")])
    with raises_code(BadRequest, "user_id_empty"):
        events.erase_user("")
    assert events.count() == 1
