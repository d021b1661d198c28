"""The SQLite file: upgrades from earlier builds, concurrent opening, and query plans."""

import multiprocessing
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from reelrank.app.engines.embedded.engine import EmbeddedEngine
from reelrank.app.engines.embedded.store.events import EmbeddedEvents
from reelrank.app.search.result_cache import ResultCache
from reelrank.index_mappings.errors import NotFound, Unavailable
from reelrank.index_mappings.event import Event
from reelrank.index_mappings.item import Document, Item
from tests.raised import raises_code

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
def test_concurrent_writers_upgrade_a_store_of_an_earlier_build(tmp_path: Path, later: str) -> None:
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


PROCESSES = 16
ROUNDS = 20
"""Without the lock around opening, five rounds passed and forty failed, in each of the three states."""


def run_at_once(work: Callable[[int], None]) -> list[int | None]:
    """Returns the exit codes of PROCESSES processes that start their work at the same time."""
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(PROCESSES)

    def run(number: int) -> None:
        barrier.wait()
        work(number)

    processes = [context.Process(target=run, args=(number,)) for number in range(PROCESSES)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    return [process.exitcode for process in processes]


def leave_nothing(path: Path) -> None:
    """A fresh store."""


def leave_old_build(path: Path) -> None:
    with closing(sqlite3.connect(path)) as old:
        old.executescript(OF_AN_EARLIER_BUILD)


def leave_rollback_journal(path: Path) -> None:
    events = EmbeddedEvents(path.parent)
    events.append([Event("e1", "watch", "ada", 5, "alien")])
    events.database.close()
    with closing(sqlite3.connect(path, timeout=10)) as store:
        assert store.execute("pragma journal_mode = delete").fetchone() == ("delete",)


@pytest.mark.slow
@pytest.mark.parametrize("leave", [leave_nothing, leave_old_build, leave_rollback_journal])
def test_sixteen_processes_open_a_store_at_once_without_loss(
    tmp_path: Path, leave: Callable[[Path], None]
) -> None:
    for number in range(ROUNDS):
        directory = tmp_path / str(number)
        directory.mkdir()
        leave(directory / "truth.sqlite")

        def append(number: int, directory: Path = directory) -> None:
            event = Event(f"new{number}", "watch", "bob", number, "alien")
            assert EmbeddedEvents(directory).append([event]).stored == 1

        assert run_at_once(append) == [0] * PROCESSES
        stored = EmbeddedEvents(directory).recent("bob", 100, 1.0)
        assert {event.id for event in stored} == {f"new{n}" for n in range(PROCESSES)}


def test_a_store_waits_for_a_reader_that_blocks_its_journal_mode(tmp_path: Path) -> None:
    path = tmp_path / "truth.sqlite"
    leave_old_build(path)
    reader = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    reader.execute("begin")
    reader.execute("select * from events").fetchall()
    end = threading.Timer(0.5, lambda: reader.execute("commit"))
    end.start()
    stored = EmbeddedEvents(tmp_path).append([Event("e2", "watch", "ada", 6, "alien")]).stored
    end.join()
    reader.close()
    assert stored == 1


PAGE = 4096


def damage(path: Path, first: int, last: int | None) -> None:
    """Overwrites pages of a file, from `first` up to `last`, None for all that follow."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("pragma wal_checkpoint(truncate)")
    body = path.read_bytes()
    end = len(body) if last is None else last * PAGE
    path.write_bytes(body[: first * PAGE] + b"\xff" * (end - first * PAGE) + body[end:])


@pytest.mark.parametrize("first", [0, 1, 10, 100])
def test_a_damaged_file_is_unavailable_with_what_to_do(tmp_path: Path, first: int) -> None:
    EmbeddedEvents(tmp_path).append([Event(f"e{n}", "watch", f"user{n}", n, "alien") for n in range(5000)])
    damage(tmp_path / "truth.sqlite", first, None)
    damaged = EmbeddedEvents(tmp_path)
    with raises_code(Unavailable, "database_damaged", match=r"truth\.sqlite.* from a backup"):
        list(damaged.scan(0, 10_000))


@pytest.mark.parametrize("page", range(20, 200, 20))
def test_a_damaged_page_gives_the_rows_or_is_unavailable(tmp_path: Path, page: int) -> None:
    events = [Event(f"e{n}", "watch", f"user{n % 3}", n, f"f{n}") for n in range(5000)]
    EmbeddedEvents(tmp_path).append(events)
    damage(tmp_path / "truth.sqlite", page, page + 1)
    damaged = EmbeddedEvents(tmp_path)
    reads: list[Callable[[], object]] = [
        damaged.count,
        lambda: list(damaged.scan(0, 10_000)),
        *(partial(damaged.recent, f"user{n}", 5000, 1.0) for n in range(3)),
        *(partial(damaged.watched_items, f"user{n}", 1.0) for n in range(3)),
    ]
    assert {_read_or_say_unavailable(read) for read in reads} == {"rows", "unavailable"}


def _read_or_say_unavailable(read: Callable[[], object]) -> str:
    try:
        read()
    except Unavailable:
        return "unavailable"
    return "rows"


@pytest.mark.slow
def test_sixteen_processes_open_a_result_cache_at_once(tmp_path: Path) -> None:
    for number in range(ROUNDS):

        def find(_number: int, path: Path = tmp_path / str(number) / "lists.sqlite") -> None:
            with pytest.raises(NotFound):
                ResultCache(path, 60, str.upper).get("none.1")

        assert run_at_once(find) == [0] * PROCESSES


LIVE_CHANGES_OF_AN_EARLIER_BUILD = """
drop table changes;
update documents set seq = 9 where id = 'live';
update versions set served_seq = 5 where serving;
pragma user_version = 6;
"""


def test_live_changes_of_an_earlier_build_reach_other_versions(tmp_path: Path) -> None:
    engine = EmbeddedEngine(tmp_path)
    for version in ("items-1", "items-2"):
        engine.create_index(version)
        engine.write(version, [Document(Item("a", "A"))])
        engine.promote(version)
    engine.upsert([Document(Item("live", "Live"))])
    engine.close()
    with closing(sqlite3.connect(tmp_path / "truth.sqlite")) as old:
        old.executescript(LIVE_CHANGES_OF_AN_EARLIER_BUILD)
    upgraded = EmbeddedEngine(tmp_path)
    upgraded.promote("items-1")
    assert upgraded.fetch(["a", "live"], 1.0) == [Item("a", "A"), Item("live", "Live")]


def test_the_change_log_is_empty_once_no_version_needs_it(tmp_path: Path) -> None:
    engine = EmbeddedEngine(tmp_path)

    def count_logged() -> int:
        return int(engine.database.connect().execute("select count(*) from changes").fetchone()[0])

    for version in ("items-1", "items-2", "items-3"):
        engine.create_index(version)
    engine.promote("items-1")
    engine.upsert([Document(Item("live", "Live"))])
    engine.promote("items-2")
    assert count_logged() == 1
    engine.drop("items-3")
    assert count_logged() == 0
    engine.drop("items-1")
    engine.upsert([Document(Item("live", "Live"))])
    assert count_logged() == 0


def test_watched_items_come_from_a_covering_index(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "truth.sqlite") as old:
        old.executescript(OF_AN_EARLIER_BUILD)
    events = EmbeddedEvents(tmp_path)
    assert events.watched_items("ada", 1.0) == {"alien"}
    select = "explain query plan select distinct item from events where user = 'ada' and kind = 'watch'"
    (step,) = events.database.connect().execute(select).fetchall()
    assert "USING COVERING INDEX events_by_watched_item" in step[-1]


def test_recent_reads_from_an_index_and_sorts_nothing(tmp_path: Path) -> None:
    events = EmbeddedEvents(tmp_path)
    events.append([Event(f"e{n}", "watch", "ada", 5, "alien") for n in range(3)])
    connection = events.database.connect()
    statements = list[str]()
    connection.set_trace_callback(statements.append)
    recent = events.recent("ada", 2, 1.0, ("watch", "like", "click"))
    connection.set_trace_callback(None)
    plan = [step[-1] for step in connection.execute(f"explain query plan {statements[-1]}")]
    assert [event.id for event in recent] == ["e2", "e1"]
    assert sum("USING INDEX events_by_user_and_kind" in step for step in plan) == 3
    assert not [step for step in plan if "TEMP B-TREE" in step or step.startswith("SCAN")]
