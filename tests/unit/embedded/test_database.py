"""The SQLite file of an earlier build: opened as it is, with the columns that it lacks."""

import sqlite3
import threading
from pathlib import Path

import pytest

from app.engines.embedded.events import EmbeddedEvents
from index_mappings.event import Event

OF_AN_EARLIER_BUILD = """
create table events (
    seq integer primary key autoincrement, id text not null unique, kind text not null, user text not null,
    at_ms integer not null, item text not null, watched_ms integer, duration_ms integer,
    request_id text not null, position integer, text text not null, device text not null,
    country text not null, simulated integer not null
);
insert into events values (1, 'e1', 'watch', 'ada', 5, 'alien', null, null, '', null, '', '', '', 1);
pragma user_version = 4;
"""
WITH_DEGRADED = """
alter table events add column degraded text not null default '';
pragma user_version = 5;
"""


@pytest.mark.parametrize("later", ["", WITH_DEGRADED])
def test_events_of_an_earlier_build_are_read_and_new_ones_written_by_all_who_open_it_at_once(
    tmp_path: Path, later: str
) -> None:
    with sqlite3.connect(tmp_path / "truth.sqlite") as old:
        old.executescript(OF_AN_EARLIER_BUILD + later)
    stored = list[int]()

    def write(number: int) -> None:
        shown = Event(f"s{number}", "impression", "ada", 9, "alien", position=1, degraded="bm25",
                      propensity=0.3, came_from=4)  # fmt: skip
        stored.append(EmbeddedEvents(tmp_path).append([shown]).stored)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert stored == [1, 1, 1, 1]
    *shown, watched = EmbeddedEvents(tmp_path).recent("ada", 10, 1.0)
    assert watched == Event("e1", "watch", "ada", 5, "alien", simulated=True)
    assert {(event.degraded, event.propensity, event.came_from) for event in shown} == {("bm25", 0.3, 4)}
