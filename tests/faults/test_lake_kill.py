"""The lake under kill -9: who writes decisions, exports and compacts is killed at any moment."""

import multiprocessing
import random
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from reelrank.app.engines.embedded.store.events import EmbeddedEvents
from reelrank.index_mappings.decision import CANDIDATES, EVENTS, REQUESTS
from reelrank.index_mappings.event import Event
from reelrank.loaders.lake.check import check_lake
from reelrank.loaders.lake.compaction import CompactionOptions, compact
from reelrank.loaders.lake.exporter import export_events
from reelrank.loaders.lake.reader import Lake
from reelrank.loaders.lake.storage import LakeStorage
from reelrank.loaders.lake.user_keys import UserKeys
from reelrank.ranking.progress import ignore_progress
from tests.unit.loaders.lake_rows import BEGIN, END, MORNING, write_decisions

ROUNDS = 2
"""Each kills every role once."""
NOW = MORNING + timedelta(days=4)
"""All dates but the newest are closed."""
# a child is forked from a process that has imported the program once, which takes seconds
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.faults.test_lake_kill"])


def append_events(directory: Path, round_: int, report: Callable[[str], None]) -> None:
    """Appends events and reports each one that the store has acknowledged."""
    events = EmbeddedEvents(directory / "engine")
    for number in range(1_000_000):
        at_ms = round((MORNING + timedelta(days=number % 5)).timestamp() * 1000)
        event_id = f"e{round_}-{number}"
        events.append([Event(event_id, "click", "ada", at_ms, "i1")])
        report(event_id)


def log_decisions(directory: Path, round_: int, report: Callable[[str], None]) -> None:
    """Writes a request with its candidates and reports it."""
    storage = LakeStorage(str(directory / "lake"))
    for number in range(1_000_000):
        request_id, at = f"r{round_}-{number}", MORNING + timedelta(days=number % 5)
        write_decisions(storage, [request_id], at, NOW)
        report(request_id)


def export_again(directory: Path, round_: int, report: Callable[[str], None]) -> None:
    storage, keys = LakeStorage(str(directory / "lake")), UserKeys(directory / "lake.key")
    events = EmbeddedEvents(directory / "engine")
    while True:
        export_events(storage, events, keys, lambda: NOW, ignore_progress)
        report("")


def compact_again(directory: Path, round_: int, report: Callable[[str], None]) -> None:
    storage = LakeStorage(str(directory / "lake"))
    while True:
        compact(storage, CompactionOptions(NOW), ignore_progress)
        report("")


ROLES = (append_events, log_decisions, export_again, compact_again)


def run_role(number: int, directory: Path, round_: int, reports: Connection) -> None:
    ROLES[number](directory, round_, reports.send)


def run_until_killed(directory: Path, round_: int, rng: random.Random) -> list[str]:
    """Runs all roles at once, kills each at a moment of its own, and returns what was acknowledged."""
    pipes = [PROCESSES.Pipe(duplex=False) for _ in ROLES]
    children = [
        PROCESSES.Process(target=run_role, args=(number, directory, round_, pipe[1]))
        for number, pipe in enumerate(pipes)
    ]
    for child in children:
        child.start()
    acknowledged = [str(pipe[0].recv()) for pipe in pipes]  # each has done something
    for child in rng.sample(children, len(children)):
        time.sleep(rng.uniform(0, 0.15))
        child.kill()
    for child, (reports, sink) in zip(children, pipes, strict=True):
        child.join()
        sink.close()
        acknowledged += _drain(reports)
    return [name for name in acknowledged if name]


def _drain(reports: Connection) -> list[str]:
    found = list[str]()
    try:
        while True:
            found.append(str(reports.recv()))
    except (EOFError, OSError):  # a message may be cut by the kill
        return found


def check_nothing_lost(directory: Path, acknowledged: list[str]) -> None:
    storage, events = LakeStorage(str(directory / "lake")), EmbeddedEvents(directory / "engine")
    export_events(storage, events, UserKeys(directory / "lake.key"), lambda: NOW, ignore_progress)
    compact(storage, CompactionOptions(NOW + timedelta(days=9)), ignore_progress)
    lake = Lake(storage)
    found = {
        table: Counter(
            name for batch in lake.scan(table, BEGIN, END, [key]) for name in batch[key].to_pylist()
        )
        for table, key in ((EVENTS, "id"), (REQUESTS, "request_id"), (CANDIDATES, "request_id"))
    }
    stored = {name for batch in events.scan(0, 2**62) for name in batch["id"].to_pylist()}
    assert {name for name in acknowledged if name.startswith("e")} <= stored
    assert found[EVENTS] == Counter(stored)
    assert {name for name in acknowledged if name.startswith("r")} <= found[REQUESTS].keys()
    assert set(found[REQUESTS].values()) == {1}
    assert set(found[CANDIDATES].values()) == {3}
    assert found[REQUESTS].keys() <= found[CANDIDATES].keys()
    report = check_lake(storage, ignore_progress)
    assert not report.problems, report.problems


def kill_and_check(directory: Path, rounds: int) -> int:
    """Returns how many events and requests were acknowledged."""
    rng, acknowledged = random.Random(0), list[str]()
    for round_ in range(rounds):
        acknowledged += run_until_killed(directory, round_, rng)
    check_nothing_lost(directory, acknowledged)
    return len(acknowledged)


@pytest.mark.slow
def test_killed_writers_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    assert kill_and_check(tmp_path, ROUNDS) >= 2 * ROUNDS
