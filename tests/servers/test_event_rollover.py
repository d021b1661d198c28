"""Events across several backing indices: each counts once, and a follower misses none."""

import threading
import time

import pytest

from app.engines.server.events import ServerEvents
from index_mappings.errors import BadRequest
from index_mappings.event import Event
from tests.servers.server import kinds

pytestmark = pytest.mark.parametrize("server", kinds(), indirect=True)


def watch(name: str, at_ms: int = 5) -> Event:
    return Event(name, "watch", "ada", at_ms, "alien")


def roll_over(events: ServerEvents) -> None:
    events.cluster.demand("POST", f"/{events.stream}/_rollover")


def test_an_event_that_comes_again_after_a_rollover_counts_once(events: ServerEvents) -> None:
    events.append([watch("1"), watch("2")])
    roll_over(events)
    report = events.append([watch("2", 9), watch("3")])
    assert (report.stored, report.duplicates) == (1, 1)
    assert events.count() == 3
    assert [event.id for event in events.recent("ada", 10, 5.0)] == ["3", "2", "1"]


def test_a_second_copy_in_a_later_backing_index_is_read_once(events: ServerEvents) -> None:
    events.append([watch("1")])
    roll_over(events)
    again = {"@timestamp": 5, "id": "1", "kind": "watch", "user": "ada", "at_ms": 5, "item": "alien"}
    events.cluster.demand("PUT", f"/{events.stream}/_create/1?refresh=true", again)
    assert [event.id for event in events.recent("ada", 10, 5.0)] == ["1"]
    assert [batch.column("id").to_pylist() for batch in events.scan(0, 10)] == [["1"]]
    assert events.follow(None)[0].column("id").to_pylist() == ["1"]


def test_a_follower_goes_on_across_a_rollover(events: ServerEvents) -> None:
    events.append([watch("1")])
    _, position = events.follow(None)
    events.append([watch("2")])
    roll_over(events)
    events.append([watch("3")])
    batch, position = events.follow(position)
    assert batch.column("id").to_pylist() == ["2", "3"]
    assert events.follow(position)[0].num_rows == 0


def test_a_follower_sees_each_event_of_several_writers_once(events: ServerEvents) -> None:
    def write(writer: int) -> None:
        for number in range(10):
            events.append([watch(f"{writer}-{number}")])

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


def test_a_position_that_is_none_is_a_bad_request(events: ServerEvents) -> None:
    with pytest.raises(BadRequest, match="position"):
        events.follow("yesterday")
