"""The commit protocol of the lake: a kill at any step loses nothing that counted and doubles nothing."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reelrank.app.engines.embedded.store.events import EmbeddedEvents
from reelrank.index_mappings.decision import CANDIDATES, EVENTS, REQUESTS
from reelrank.loaders.lake.reader import Lake
from reelrank.loaders.lake.retention import remove_expired
from reelrank.loaders.lake.storage import LakeStorage, StoredFile
from tests.unit.loaders.lake_rows import (
    MORNING,
    NEXT_DAY,
    build_event,
    export,
    read_rows,
    run_compaction,
    write_decisions,
)


class RecordingStorage(LakeStorage):
    """Keeps the folders whose files were listed."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.listed = list[str]()

    def list_files(self, folder: str = "") -> list[StoredFile]:
        self.listed.append(folder)
        return super().list_files(folder)


class Killed(BaseException):
    """Ends an operation as a kill would: nothing after it runs that writes."""


class MortalStorage(LakeStorage):
    """Dies at one of its writes: `steps_left` writes are done before."""

    steps_left: int | None = None

    def step(self) -> None:
        if self.steps_left is not None:
            if self.steps_left == 0:
                raise Killed
            self.steps_left -= 1

    @contextmanager
    def replace(self, path: str) -> Iterator[Path]:
        self.step()
        with super().replace(path) as temporary:
            yield temporary
            self.step()
        self.step()

    def delete(self, paths: Sequence[str]) -> None:
        for path in paths:
            self.step()
            super().delete([path])


class RecordedLake:
    """A lake and an event store in a directory, and what must be in the lake."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.events = EmbeddedEvents(directory / "engine")
        self.written, self.begun, self.sent = set[str](), set[str](), set[str]()
        self.now = MORNING

    @property
    def storage(self) -> MortalStorage:
        return MortalStorage(str(self.directory / "lake"))

    def run(self, action: str, steps: int | None, number: int) -> None:
        storage, name = self.storage, f"r{number:03d}"
        storage.steps_left = steps
        with suppress(Killed):
            if action == "write":
                self.begun.add(name)
                write_decisions(storage, [name], self.now - timedelta(hours=number % 30), self.now)
                self.written.add(name)
            elif action == "send":
                self.events.append([build_event(name, self.now - timedelta(hours=number % 30))])
                self.sent.add(name)
            elif action == "export":
                export(storage, self.events, self.directory, self.now)
            elif action == "compact":
                run_compaction(storage, self.now)
            else:
                self.now += timedelta(hours=13)

    def check(self) -> None:
        requests = [row["request_id"] for row in read_rows(self.storage, REQUESTS)]
        assert len(requests) == len(set(requests))
        assert self.written <= set(requests) <= self.begun
        candidates = [(row["request_id"], row["item"]) for row in read_rows(self.storage, CANDIDATES)]
        assert len(candidates) == len(set(candidates))
        assert {(request, f"i{n}") for request in requests for n in range(3)} <= set(candidates)
        events = [row["id"] for row in read_rows(self.storage, EVENTS)]
        assert len(events) == len(set(events))
        assert set(events) <= self.sent


ACTIONS = st.tuples(
    st.sampled_from(["write", "send", "export", "compact", "wait"]),
    st.none() | st.integers(0, 12),
)


@pytest.mark.slow
@settings(deadline=None, max_examples=25)
@given(st.lists(ACTIONS, min_size=1, max_size=12))
def test_no_kill_loses_or_doubles_a_row(actions: list[tuple[str, int | None]]) -> None:
    directory = Path(tempfile.mkdtemp())
    recorded = RecordedLake(directory)
    try:
        for number, (action, steps) in enumerate(actions):
            recorded.run(action, steps, number)
            recorded.check()
        recorded.run("export", None, 0)
        assert {row["id"] for row in read_rows(recorded.storage, EVENTS)} == recorded.sent
        recorded.now += timedelta(days=3)
        recorded.run("compact", None, 0)
        recorded.check()
        assert {row["id"] for row in read_rows(recorded.storage, EVENTS)} == recorded.sent
    finally:
        recorded.events.database.close()
        shutil.rmtree(directory)


@pytest.mark.parametrize("steps", range(12))
def test_a_kill_in_retention_leaves_a_date_whole_or_gone(tmp_path: Path, steps: int) -> None:
    storage = MortalStorage(str(tmp_path / "lake"))
    for request in ("a", "b"):
        write_decisions(storage, [request], MORNING, NEXT_DAY)
    storage.steps_left = steps
    with suppress(Killed):
        remove_expired(storage, 5, NEXT_DAY + timedelta(days=20))
    left = LakeStorage(storage.url)
    assert len(read_rows(left, REQUESTS)) in (0, 2)
    assert len(read_rows(left, CANDIDATES)) in (0, 6)
    remove_expired(left, 5, NEXT_DAY + timedelta(days=20))
    assert [file for file in left.list_files() if not file.path.startswith("_")] == []


def test_a_reader_keeps_the_rows_that_it_began_with(tmp_path: Path) -> None:
    storage = LakeStorage(str(tmp_path / "lake"))
    for hour in range(3):
        write_decisions(storage, [f"r{hour}"], MORNING + timedelta(hours=hour))
    seen = list[str]()
    from reelrank.loaders.lake.reader import Lake

    for batch in Lake(storage).scan(
        REQUESTS, MORNING - timedelta(days=1), datetime.max.replace(tzinfo=MORNING.tzinfo)
    ):
        seen += batch["request_id"].to_pylist()
        run_compaction(storage)  # replaces the hours that are still to be read
    assert seen == ["r0", "r1", "r2"]


def test_partitions_of_a_date_are_found_without_listing_other_dates(tmp_path: Path) -> None:
    storage = RecordingStorage(str(tmp_path / "lake"))
    for day in range(3):
        write_decisions(storage, [f"r{day}"], MORNING + timedelta(days=day))
    storage.listed.clear()
    found = Lake(storage).list_partitions(REQUESTS, MORNING, MORNING + timedelta(hours=1))
    assert [partition.date for partition in found] == [MORNING.date()]
    assert storage.listed == [f"{REQUESTS}/date={MORNING.date()}"]
