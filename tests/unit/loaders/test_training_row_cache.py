"""The cache of training rows: the same rows with it as without it, and only what has changed is built."""

import os
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from reelrank.app.engines.embedded.store.events import EmbeddedEvents
from reelrank.index_mappings.event import Event
from reelrank.loaders.lake.reader import Lake
from reelrank.loaders.lake.storage import LakeStorage
from reelrank.loaders.logged.date_build import RowOptions
from reelrank.loaders.logged.pages import ReadOptions
from reelrank.loaders.logged.row_cache import RowCache
from reelrank.loaders.logged.rows import RowReader, name_config
from tests.unit.loaders.lake_rows import (
    BEGIN,
    END,
    MORNING,
    NEXT_DAY,
    export,
    run_compaction,
    to_ms,
    write_decisions,
)

TIMES = [MORNING + timedelta(hours=hours) for hours in (0, 1, 14, 26)]
FEATURES = ("reciprocal_rank_bm25",)
READING = ReadOptions(to_ms(END), ("rank_bm25",), rows=5)
OPTIONS = RowOptions(FEATURES, 100, READING)
ROOMY = 10_000_000


def build_play(number: int, minutes: int = 5, event_id: str = "") -> Event:
    """A play of the first item of a request, a complete one."""
    at_ms = to_ms(TIMES[number] + timedelta(minutes=minutes))
    return Event(event_id or f"e{number}", "watch", "ada", at_ms, "i0", 1000, 1000, f"{number}-0")


class Project:
    """A lake with two requests at each of some times; of each first one an item was played."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.storage = LakeStorage(str(directory / "lake"))
        self.events = EmbeddedEvents(directory / "engine")
        for number, at in enumerate(TIMES):
            write_decisions(self.storage, [f"{number}-0", f"{number}-1"], at, at)
        self.add(*map(build_play, range(len(TIMES))))

    def add(self, *events: Event) -> None:
        self.events.append(events)
        export(self.storage, self.events, self.directory)

    def read(self, max_bytes: int = ROOMY, options: RowOptions = OPTIONS) -> tuple[pa.Table, int, int]:
        """Returns all rows, how many hours were read, and how many of them were built."""
        cache = RowCache(self.directory / "cache", name_config(options), max_bytes)
        reader = RowReader(Lake(self.storage), cache, options)
        batches = [batch for batch in reader.read(BEGIN, END) if batch.num_rows]
        return pa.Table.from_batches(batches), reader.hours, reader.hours - reader.cached_hours

    def list_entries(self) -> list[Path]:
        return sorted((self.directory / "cache").glob("*/*.rows"))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def sort(rows: pa.Table) -> list[dict[str, Any]]:
    return sorted(rows.to_pylist(), key=lambda row: (row["request_id"], row["feature_reciprocal_rank_bm25"]))


def test_a_second_run_builds_nothing(project: Project) -> None:
    first, hours, built = project.read()
    assert (hours, built) == (4, 4)
    assert len(first) == 4 * 2 * 3
    assert sum(first["played"].to_pylist()[n] is True for n in range(len(first))) == 4
    again, hours, built = project.read()
    assert (hours, built) == (4, 0)
    assert again.equals(first)


def test_a_new_hour_is_built_alone(project: Project) -> None:
    project.read()
    at = NEXT_DAY + timedelta(hours=4)
    write_decisions(project.storage, ["new"], at, at)
    rows, hours, built = project.read()
    assert (hours, built) == (5, 1)
    assert "new" in rows["request_id"].to_pylist()


def test_an_event_that_comes_late_changes_its_hour_alone(project: Project) -> None:
    project.read()
    project.add(Event("late", "like", "ada", to_ms(TIMES[1] + timedelta(hours=3)), "i1", request_id="1-1"))
    rows, _, built = project.read()
    assert built == 1
    assert sort(rows) == sort(project.read(max_bytes=0)[0])


def test_compaction_changes_no_row(project: Project) -> None:
    before, _, _ = project.read()
    run_compaction(project.storage, NEXT_DAY + timedelta(days=3))
    after, _, built = project.read()
    assert built == 0
    assert after.equals(before)
    assert sort(project.read(max_bytes=0)[0]) == sort(before)  # built from the compacted files


def flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


DAMAGES: Sequence[Callable[[Path], object]] = (
    flip_a_byte,
    lambda path: path.write_bytes(path.read_bytes()[:40]),
    lambda path: path.write_bytes(b""),
    Path.unlink,
)


def test_damaged_rows_are_found_and_built_again(project: Project) -> None:
    before, _, _ = project.read()
    for damage, path in zip(DAMAGES, project.list_entries(), strict=True):
        damage(path)
    after, _, built = project.read()
    assert built == len(DAMAGES)
    assert after.equals(before)
    assert project.read()[2] == 0


@pytest.mark.parametrize("text", ["", '{"inputs": "", "content": []}', "[]"])
def test_a_damaged_index_is_built_again(project: Project, text: str) -> None:
    before, _, _ = project.read()
    index = f"{MORNING.date()}-{MORNING.hour:02d}.json"
    next((project.directory / "cache").glob(f"*/{index}")).write_text(text)
    after, _, built = project.read()
    assert built == 1
    assert after.equals(before)
    assert len(project.list_entries()) == 4


def test_the_cache_keeps_to_its_size(project: Project) -> None:
    rows, _, _ = project.read(max_bytes=0)
    assert project.list_entries() == []
    project.read()
    room = max(path.stat().st_size for path in project.list_entries())
    limited, _, built = project.read(max_bytes=2 * room)
    assert built == 0  # what was used is not removed
    other = RowOptions(FEATURES, 2, READING)
    for _ in range(2):
        assert len(project.read(2 * room, other)[0]) == len(rows)
        assert 0 < sum(path.stat().st_size for path in project.list_entries()) <= 2 * room
    assert sort(limited) == sort(rows)


def test_what_was_not_read_for_long_is_removed(project: Project) -> None:
    project.read()
    for path in (project.directory / "cache").glob("*/*"):
        os.utime(path, (0, 0))
    project.read(options=RowOptions(FEATURES, 2, READING))
    assert len(project.list_entries()) == 4


def test_a_partition_without_a_signal_is_named_and_not_kept(project: Project) -> None:
    reasons: list[str] = []
    reading = ReadOptions(to_ms(END), (*READING.columns, "signal_new"), on_skipped=reasons.append)
    cache = RowCache(project.directory / "cache", "config", ROOMY)
    reader = RowReader(Lake(project.storage), cache, RowOptions(FEATURES, 100, reading))
    assert list(reader.read(BEGIN, END)) == []
    assert len(reasons) == 4
    assert project.list_entries() == []


def test_a_span_cuts_by_the_time_of_the_request(project: Project) -> None:
    cache = RowCache(project.directory / "cache", "config", ROOMY)
    reader = RowReader(Lake(project.storage), cache, OPTIONS)
    rows = pa.Table.from_batches(reader.read(TIMES[1], TIMES[3]))
    assert {name[0] for name in rows["request_id"].to_pylist()} == {"1", "2"}


@pytest.mark.parametrize("is_compacted", [False, True])
def test_parts_of_a_date_have_the_rows_of_the_whole(project: Project, is_compacted: bool) -> None:
    midnight = MORNING.replace(hour=0, minute=0)
    early = to_ms(TIMES[0] - timedelta(minutes=5))
    project.add(Event("unplaced", "like", "ada", to_ms(TIMES[2] + timedelta(minutes=1)), "i1"))
    project.add(Event("long", "watch", "ada", to_ms(TIMES[2]), "i0", 2000, 2000, "0-0", started_ms=early))
    if is_compacted:
        run_compaction(project.storage, NEXT_DAY + timedelta(days=3))
    whole = pa.Table.from_batches(_read_span(project, "whole", midnight, midnight + timedelta(days=2)))
    parts = list[pa.RecordBatch]()
    for hour in range(0, 48, 3):
        begin = midnight + timedelta(hours=hour)
        parts += _read_span(project, "parts", begin, begin + timedelta(hours=3))
    assert pa.Table.from_batches(parts).equals(whole)
    assert len(list((project.directory / "parts").glob("*/*.rows"))) == 4


def _read_span(project: Project, cache_name: str, begin: datetime, end: datetime) -> list[pa.RecordBatch]:
    cache = RowCache(project.directory / cache_name, "config", ROOMY)
    reader = RowReader(Lake(project.storage), cache, OPTIONS)
    return [batch for batch in reader.read(begin, end) if batch.num_rows]
