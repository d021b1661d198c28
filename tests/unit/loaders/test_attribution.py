"""Attribution by DuckDB: equal to the slow reference on random logs, and right on cases that people know."""

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reelrank.index_mappings.decision import CANDIDATE_SCHEMA, LAKE_EVENT_SCHEMA, REQUEST_SCHEMA
from reelrank.index_mappings.event import EVENT_KINDS, MINUTE_MS
from reelrank.loaders.lake.attribution import AttributionInputs, attribute_whole
from reelrank.ranking.labels.attribution import (
    ATTRIBUTED_CANDIDATE,
    ATTRIBUTED_EVENT,
    ATTRIBUTED_REQUEST,
    AttributionRules,
    AttributionSpan,
)
from reelrank.ranking.labels.attribution_reference import attribute_slowly

NOON = 1_800_000_000_000
HOUR = 60 * MINUTE_MS
SPAN = AttributionSpan(NOON - HOUR, NOON + HOUR, NOON + 10 * HOUR)
RULES = AttributionRules()
MAX_TIME_MS = 2**62 - 1
REQUESTS, CANDIDATES, EVENTS = (
    pa.schema([schema.field(name) for name in names])
    for schema, names in (
        (REQUEST_SCHEMA, ATTRIBUTED_REQUEST),
        (CANDIDATE_SCHEMA, ATTRIBUTED_CANDIDATE),
        (LAKE_EVENT_SCHEMA, ATTRIBUTED_EVENT),
    )
)
EVENT: dict[str, Any] = dict.fromkeys(ATTRIBUTED_EVENT) | {
    "play_id": "",
    "request_id": "",
    "user_key": "viewer",
}


def make_event(kind: str, minute: float, **fields: Any) -> dict[str, Any]:
    event = EVENT | {
        "id": f"{kind} {minute}",
        "kind": kind,
        "item": "a",
        "at_ms": NOON + int(minute * MINUTE_MS),
    }
    return event | fields


def make_page(request_id: str, minute: float, items: str = "a", user_key: str = "viewer") -> Any:
    at_ms = NOON + int(minute * MINUTE_MS)
    request = {"request_id": request_id, "at_ms": at_ms, "user_key": user_key, "surface": "home"}
    rows = [
        {"request_id": request_id, "item": item, "position": position, "shown": True}
        for position, item in enumerate(items)
    ]
    return request, rows


def run_query(
    requests: Any, candidates: Any, events: Any, span: AttributionSpan = SPAN, rules: AttributionRules = RULES
) -> list[dict[str, Any]]:
    inputs = AttributionInputs(
        pa.Table.from_pylist(requests, REQUESTS),
        pa.Table.from_pylist(candidates, CANDIDATES),
        pa.Table.from_pylist(events, EVENTS),
    )
    rows: list[dict[str, Any]] = attribute_whole(inputs, span, rules).to_pylist()
    return rows


def run_pages(pages: Any, events: Any, **options: Any) -> dict[tuple[str, str], dict[str, Any]]:
    requests, lists = zip(*pages, strict=True)
    rows = run_query(list(requests), [row for rows in lists for row in rows], events, **options)
    return {(row["request_id"], row["item"]): row for row in rows}


MINUTES = st.integers(-14, 14).map(lambda minute: NOON + minute * MINUTE_MS)
EDGES = st.sampled_from([SPAN.from_ms - 1, SPAN.to_ms - 1, SPAN.to_ms + MINUTE_MS, NOON + 2 * HOUR])
times = st.one_of(MINUTES, MINUTES, MINUTES, EDGES, st.sampled_from([-MAX_TIME_MS, MAX_TIME_MS, 0]))
"""Mostly within a window of each other: of events that are spread over hours, next to none meet a page."""
page_times = st.one_of(st.integers(-12, 0).map(lambda minute: NOON + minute * MINUTE_MS), times)
request_ids = st.sampled_from(["r1", "r2", "r3"])
viewers = st.sampled_from(["v1", "v1", "v1", "", "v2"])
durations = st.one_of(
    st.none(),
    st.sampled_from([-MAX_TIME_MS, -1, 0, 1, 30_000, 59_999, 60_000, 90_000, 600_000, MAX_TIME_MS]),
)
random_events = st.fixed_dictionaries(
    {
        "id": st.sampled_from([f"e{n}" for n in range(30)]),
        "kind": st.sampled_from([*EVENT_KINDS, *["watch"] * 10]),
        "user_key": viewers,
        "at_ms": times,
        "received_ms": st.one_of(st.none(), st.none(), times),
        "item": st.sampled_from(["a", "a", "a", "b", ""]),
        "request_id": st.sampled_from(["", "", "r1", "r2", "lost"]),
        "position": st.one_of(st.none(), st.integers(0, 3)),
        "watched_ms": durations,
        "duration_ms": durations,
        "play_id": st.sampled_from(["", "", "p1", "p2"]),
        "started_ms": st.one_of(st.none(), st.none(), times),
    }
)
random_requests = st.fixed_dictionaries(
    {
        "request_id": request_ids,
        "at_ms": page_times,
        "user_key": viewers,
        "surface": st.sampled_from(["", "home"]),
    }
)
random_candidates = st.fixed_dictionaries(
    {
        "request_id": request_ids,
        "item": st.sampled_from(["a", "b"]),
        "position": st.integers(0, 3),
        "shown": st.sampled_from([True, True, True, False]),
    }
)
random_logs = st.tuples(
    st.lists(random_requests, min_size=1, max_size=5),
    st.lists(random_candidates, min_size=1, max_size=8),
    st.lists(random_events, max_size=15),
)


def tell_apart(rows: list[dict[str, Any]], log: int) -> list[dict[str, Any]]:
    """Gives the ids of one log names of their own, so that one query answers for many logs."""
    names = ("request_id", "user_key", "item", "id")
    return [row | {name: f"{log} {row[name]}" for name in names if row.get(name)} for row in rows]


@settings(max_examples=40, deadline=None)
@given(st.lists(random_logs, min_size=1, max_size=20), st.one_of(st.just(SPAN.as_of_ms), MINUTES, EDGES))
@pytest.mark.slow
def test_the_query_equals_the_slow_reference(logs: Any, as_of: int) -> None:
    span = AttributionSpan(SPAN.from_ms, SPAN.to_ms, as_of)
    tables = [[row for n, log in enumerate(logs) for row in tell_apart(log[k], n)] for k in range(3)]
    requests, candidates, events = tables
    assert run_query(requests, candidates, events, span) == attribute_slowly(
        requests, candidates, events, span, RULES
    )


def test_a_play_within_ten_minutes_is_attributed_to_its_page() -> None:
    watch = make_event("watch", 15, request_id="r", watched_ms=6 * MINUTE_MS, duration_ms=10 * MINUTE_MS)
    row = run_pages([make_page("r", 0)], [watch])["r", "a"]
    assert (row["played"], row["missed"], row["watched_share"]) == (True, False, 0.6)
    assert (row["first_event_kind"], row["first_event_ms"]) == ("watch", NOON + 9 * MINUTE_MS)


def test_a_play_that_begins_later_leaves_the_impression_missed() -> None:
    watch = make_event("watch", 15, request_id="r", watched_ms=4 * MINUTE_MS)
    row = run_pages([make_page("r", 0)], [watch])["r", "a"]
    assert (row["played"], row["missed"], row["watched_ms"]) == (False, True, None)


def test_an_impression_is_not_missed_before_its_window_has_passed() -> None:
    early = AttributionSpan(SPAN.from_ms, SPAN.to_ms, NOON + 9 * MINUTE_MS)
    assert not run_pages([make_page("r", 0)], [], span=early)["r", "a"]["missed"]
    late = AttributionSpan(SPAN.from_ms, SPAN.to_ms, NOON + 10 * MINUTE_MS)
    assert run_pages([make_page("r", 0)], [], span=late)["r", "a"]["missed"]


def test_an_event_without_a_page_belongs_to_the_latest_page_before() -> None:
    pages = [make_page("r1", 0), make_page("r2", 3), make_page("r3", 6), make_page("other", 4, user_key="x")]
    rows = run_pages(pages, [make_event("click", 5)])
    assert [name for (name, _), row in rows.items() if row["clicked"]] == ["r2"]


def test_a_page_of_the_next_day_takes_what_followed_it() -> None:
    span = AttributionSpan(SPAN.from_ms, NOON + MINUTE_MS, SPAN.as_of_ms)
    rows = run_pages([make_page("r1", 0), make_page("r2", 2)], [make_event("click", 3)], span=span)
    assert {name: row["clicked"] for (name, _), row in rows.items()} == {"r1": False}


def test_heartbeats_of_one_play_are_one_watch() -> None:
    beats = [
        make_event("watch", m, watched_ms=int(m * MINUTE_MS), duration_ms=HOUR // 6, id=f"beat {m}")
        for m in (1, 2.5, 9)
    ]
    row = run_pages([make_page("r", 0)], beats)["r", "a"]
    assert (row["watched_ms"], row["completed"], row["action_kinds"]) == (9 * MINUTE_MS, True, "watch")


def test_a_pause_makes_no_second_play_that_begins_too_late() -> None:
    beats = [
        make_event("watch", 11, watched_ms=int(1.1 * MINUTE_MS)),
        make_event("watch", 20.5, watched_ms=10 * MINUTE_MS),
    ]
    assert run_pages([make_page("r", 0)], beats)["r", "a"]["watched_ms"] == 10 * MINUTE_MS
    apart = AttributionRules(same_play_ms=MINUTE_MS // 2)
    row = run_pages([make_page("r", 0)], beats, rules=apart)["r", "a"]
    assert row["watched_ms"] == int(1.1 * MINUTE_MS)


def test_heartbeats_share_the_page_that_the_first_of_them_names() -> None:
    beats = [
        make_event("watch", 1, play_id="p", request_id="r", watched_ms=0, user_key=""),
        make_event("watch", 30, play_id="p", watched_ms=29 * MINUTE_MS, user_key=""),
    ]
    row = run_pages([make_page("r", 0, user_key="")], beats)["r", "a"]
    assert row["watched_ms"] == 29 * MINUTE_MS


def test_a_clock_that_is_ahead_is_set_back_by_the_receipt() -> None:
    click = make_event("click", 60 * 24 * 365, received_ms=NOON + MINUTE_MS)
    assert run_pages([make_page("r", 0)], [click])["r", "a"]["first_event_ms"] == NOON + MINUTE_MS


def test_a_clock_that_is_behind_counts_for_the_page_it_names() -> None:
    page = make_page("r", 0)
    assert run_pages([page], [make_event("click", -5, request_id="r")])["r", "a"]["first_event_ms"] == NOON
    assert not run_pages([page], [make_event("click", -5)])["r", "a"]["clicked"]
    assert not run_pages([page], [make_event("click", -16, request_id="r")])["r", "a"]["clicked"]


def test_what_was_received_after_the_time_of_asking_does_not_count() -> None:
    span = AttributionSpan(SPAN.from_ms, SPAN.to_ms, NOON + 30 * MINUTE_MS)
    click = make_event("click", 1, received_ms=NOON + 31 * MINUTE_MS)
    assert not run_pages([make_page("r", 0)], [click], span=span)["r", "a"]["clicked"]


def test_an_event_sent_twice_counts_once_as_it_came_first() -> None:
    first = make_event("watch", 2, id="e", watched_ms=1000, received_ms=NOON + 2 * MINUTE_MS)
    again = first | {"watched_ms": 5000, "received_ms": NOON + 3 * MINUTE_MS}
    assert run_pages([make_page("r", 0)], [again, first])["r", "a"]["watched_ms"] == 1000


def test_seen_is_what_was_viewed_or_acted_on_where_the_page_reports_it() -> None:
    events = [make_event("viewed", 1, request_id="r"), make_event("like", 2, item="c", request_id="r")]
    rows = run_pages([make_page("r", 0, "abc"), make_page("quiet", 0, "a")], events)
    seen = {key: (row["seen"], row["is_seen_known"], row["missed"]) for key, row in rows.items()}
    assert seen == {
        ("r", "a"): (True, True, True),
        ("r", "b"): (False, True, False),
        ("r", "c"): (True, True, True),
        ("quiet", "a"): (True, False, True),
    }


def test_the_newest_opinion_counts_unless_it_was_undone() -> None:
    page = make_page("r", 0, "abc")
    events = [
        *[make_event("like", 1, item=item, id=f"like {item}") for item in "abc"],
        make_event("undo", 2, item="b"),
        make_event("not_interested", 2, item="c"),
    ]
    rows = run_pages([page], events)
    opinions = {item: (row["liked"], row["disliked"]) for (_, item), row in rows.items()}
    assert opinions == {"a": (True, False), "b": (False, False), "c": (False, True)}


def test_rules_refuse_a_window_longer_than_the_look_ahead() -> None:
    with pytest.raises(ValueError, match="look_ahead_ms"):
        AttributionRules(look_ahead_ms=MINUTE_MS)
