"""Events in several backing indices: each counts once, and a follower misses none."""

import threading
import time

import pytest

from reelrank.app.engines.server.events.data_stream_lifecycle import DataStreamLifecycle, RetentionPolicy
from reelrank.app.engines.server.events.event_store import ServerEvents
from reelrank.index_mappings.errors import BadRequest, Unavailable
from reelrank.index_mappings.event import DAY_MS, Event
from tests.raised import raises_code
from tests.servers.intercepted import intercept
from tests.servers.server import build_kind_params

pytestmark = pytest.mark.parametrize("server", build_kind_params(), indirect=True)

ONE_MILLISECOND_DAYS = 1 / DAY_MS
"""In days: a backing index that is a millisecond old is old enough."""


def build_watch(event_id: str, at_ms: int = 5) -> Event:
    return Event(event_id, "watch", "ada", at_ms, "alien")


def roll_over(events: ServerEvents) -> None:
    events.cluster.request_or_raise("POST", f"/{events.stream}/_rollover")


def test_an_event_repeated_after_a_rollover_counts_once(events: ServerEvents) -> None:
    events.append([build_watch("1"), build_watch("2")])
    roll_over(events)
    report = events.append([build_watch("2", 9), build_watch("3")])
    assert (report.stored, report.duplicates) == (1, 1)
    assert events.count() == 3
    assert [event.id for event in events.recent("ada", 10, 5.0)] == ["3", "2", "1"]


def test_a_second_copy_in_a_later_backing_index_is_read_once(events: ServerEvents) -> None:
    events.append([build_watch("1")])
    roll_over(events)
    again = {"@timestamp": 5, "id": "1", "kind": "watch", "user": "ada", "at_ms": 5, "item": "alien"}
    events.cluster.request_or_raise("PUT", f"/{events.stream}/_create/1?refresh=true", again)
    assert events.count() == 2, "stored twice, and counted as that; read once"
    assert [event.id for event in events.recent("ada", 10, 5.0)] == ["1"]
    assert [batch.column("id").to_pylist() for batch in events.scan(0, 10)] == [["1"]]
    assert events.follow(None)[0].column("id").to_pylist() == ["1"]


def test_a_follower_continues_across_a_rollover(events: ServerEvents) -> None:
    events.append([build_watch("1")])
    _, position = events.follow(None)
    events.append([build_watch("2")])
    roll_over(events)
    events.append([build_watch("3")])
    batch, position = events.follow(position)
    assert batch.column("id").to_pylist() == ["2", "3"]
    assert events.follow(position)[0].num_rows == 0


def test_a_follower_sees_each_event_of_several_writers_once(events: ServerEvents) -> None:
    def write(writer: int) -> None:
        for number in range(10):
            events.append([build_watch(f"{writer}-{number}")])

    writers = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    for writer in writers:
        writer.start()
    seen, position, until = list[str](), None, time.monotonic() + 60
    while len(seen) < 40 and time.monotonic() < until:
        batch, position = events.follow(position)
        seen += batch.column("id").to_pylist()
    for writer in writers:
        writer.join()
    assert sorted(seen) == sorted(f"{writer}-{number}" for writer in range(4) for number in range(10))


def test_a_follower_continues_after_old_events_expire(
    events: ServerEvents,
) -> None:
    now_ms = round(time.time() * 1000)
    old, young = build_watch("old", now_ms - 3 * DAY_MS), build_watch("young", now_ms - DAY_MS // 2)
    events.append([old])
    _, position = events.follow(None)
    events.lifecycle = DataStreamLifecycle(
        events.cluster, events.stream, RetentionPolicy(1.0, ONE_MILLISECOND_DAYS), interval_s=0
    )
    events.append([young])  # into the same backing index: both stay
    assert events.recent("ada", 10, 5.0) == [young, old]
    events.append([build_watch("younger", now_ms)])  # into the next
    assert events.lifecycle.roll_over_and_expire(now_ms + 2 * DAY_MS // 3) != []
    assert [event.id for event in events.recent("ada", 10, 5.0)] == ["younger"]
    assert events.follow(position)[0].column("id").to_pylist() == ["younger"]


def test_events_never_expire_without_a_retention_setting(events: ServerEvents) -> None:
    events.lifecycle = DataStreamLifecycle(
        events.cluster, events.stream, RetentionPolicy(None, ONE_MILLISECOND_DAYS), interval_s=0
    )
    for number in range(3):
        events.append([build_watch(f"{number}")])
    assert len(events.cluster.request_or_raise("GET", f"/{events.stream}/_settings/index.uuid")) > 1
    assert events.count() == 3


def test_an_append_succeeds_when_the_rollover_fails(events: ServerEvents) -> None:
    def refuse(_method: str, path: str) -> None:
        if path.endswith("/_rollover"):
            raise Unavailable("not now")

    careless = ServerEvents(intercept(events.cluster, refuse), events.stream, refresh_ms=200)
    assert careless.append([build_watch("1")]).stored == 1
    assert events.recent("ada", 10, 5.0) == [build_watch("1")]


def test_an_invalid_position_is_a_bad_request(events: ServerEvents) -> None:
    with raises_code(BadRequest, "invalid_event_position"):
        events.follow("yesterday")
