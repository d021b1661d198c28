"""Erasure: then no byte of any file names the viewer, by id or by key, and all others keep their records."""

import os
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reelrank.app.engines.embedded.store.events import EmbeddedEvents
from reelrank.app.privacy.erasure_journal import ErasureJournal
from reelrank.app.privacy.serving_lock import hold_serving_lock, is_served
from reelrank.app.privacy.upkeep import PrivacyUpkeep
from reelrank.app.privacy.viewer_eraser import ViewerEraser, ViewerPlaces
from reelrank.app.privacy.viewer_export import export_viewer
from reelrank.app.search.result_cache import ResultCache
from reelrank.app.search.result_list import ResultList
from reelrank.index_mappings.decision import CANDIDATES, EVENTS, REQUESTS
from reelrank.index_mappings.errors import BadRequest, NotFound, Unavailable
from reelrank.index_mappings.event import Event
from reelrank.index_mappings.match import Matches, encode_item_ids
from reelrank.index_mappings.query import Query
from reelrank.loaders.lake.compaction import CompactionOptions, compact
from reelrank.loaders.lake.exporter import export_events
from reelrank.loaders.lake.storage import LakeStorage
from reelrank.loaders.lake.user_keys import UserKeys
from reelrank.loaders.lake.writer import LakeWriter
from reelrank.ranking.progress import ignore_progress
from reelrank.ranking.retrieval.fusion import fuse
from tests.raised import raises_code

NOW = datetime(2026, 3, 5, 12, tzinfo=UTC)
HOURS = st.integers(0, 60)
"""Up to two and a half days before NOW: open and closed dates."""
RECORDS = st.lists(st.tuples(st.integers(0, 3), HOURS), min_size=1, max_size=6)
VIEWERS = ("ada-7f3", "bob-7f3", "Zoë 9b1", 'quo"te\\5e5')


class DataDir:
    """Everything that a service records, in one directory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.keys = UserKeys(path / "lake.key")
        self.events = EmbeddedEvents(path / "engine")
        self.lists = ResultCache(path / "lists.sqlite", 60, self.keys.get_key)
        self.lake = LakeStorage(str(path / "lake"))
        self.lake_failures: list[Exception] = []
        self.counters = path / "counters"
        places = ViewerPlaces(
            self.events, self.lists, None, self.open_lake, self.keys.get_key, path / "rejects",
            path / "cache", self.counters,
        )  # fmt: skip
        journal = ErasureJournal(path / "erasures", lambda: NOW)
        self.eraser = ViewerEraser(places, journal, lambda: NOW, settle_s=0)

    def open_lake(self) -> LakeStorage:
        if self.lake_failures:
            raise self.lake_failures.pop()
        return self.lake

    def record(self, number: int, user: str, at: datetime) -> None:
        """One page of a viewer: impression, kept list, rejected row, and what the lake has of the request."""
        at_ms, request = round(at.timestamp() * 1000), f"r{number}"
        self.events.append([Event(f"e{number}", "watch", user, at_ms, "i1", request_id=request, position=0)])
        found = fuse([Matches("bm25", encode_item_ids(["i1"]), np.ones(1, np.float32))])
        query = Query(text="sea", user=user)
        self.lists.put(ResultList(request, query, found, np.ones(1, np.float32), "m", "v", ()))
        rows = {"request_id": [request], "at_ms": [at_ms], "user_key": [self.keys.get_key(user)]}
        shown = {"request_id": [request], "at_ms": [at_ms], "item": ["i1"], "position": [0], "shown": [True]}
        LakeWriter(self.lake).write_decisions(pa.table(rows), pa.table(shown), at.date())
        with (self.path / "rejects" / "watches.jsonl").open("ab") as file:
            file.write(orjson.dumps({"file": "w.csv", "row": number, "record": {"user": user}}) + b"\n")

    def list_remains(self, user: str) -> list[str]:
        """Names the files that hold the id or the key of a viewer, also in compressed columns."""
        texts = {user, self.keys.get_key(user), orjson.dumps(user)[1:-1].decode()}
        files = [path for path in self.path.rglob("*") if path.is_file()]
        remains = [path.name for path in files for text in texts if text.encode() in path.read_bytes()]
        for path in files:
            if path.suffix == ".parquet":
                words = {value for row in pq.ParquetFile(path).read().to_pylist() for value in row.values()
                         if isinstance(value, str)}  # fmt: skip
                remains += [path.name] if words & texts else []
        return remains

    def count(self, user: str) -> tuple[int, int, int, int]:
        """Counts events, requests, candidates and lists of a viewer."""
        known = export_viewer(self.eraser.places, user)
        lake = known["lake"]
        assert len(lake[EVENTS]) == len(known["events"])
        return len(known["events"]), len(lake[REQUESTS]), len(lake[CANDIDATES]), len(known["kept_lists"])


@pytest.fixture
def data(tmp_path: Path) -> Iterator[DataDir]:
    yield from open_data(tmp_path)


def open_data(path: Path) -> Iterator[DataDir]:
    (path / "rejects").mkdir()
    data = DataDir(path)
    yield data
    data.events.database.close()


def fill(data: DataDir, records: list[tuple[int, int]], compact_after: int) -> None:
    for number, (viewer, hours) in enumerate(records):
        data.record(number, VIEWERS[viewer], NOW - timedelta(hours=hours))
        if number == compact_after:
            export(data)
            compact(data.lake, CompactionOptions(NOW), ignore_progress)
    data.counters.write_text(" ".join(VIEWERS))  # saved counters name viewers
    export(data)


def export(data: DataDir) -> None:
    export_events(data.lake, data.events, data.keys, lambda: NOW, ignore_progress)


@pytest.mark.slow
@settings(max_examples=4, deadline=None)
@given(records=RECORDS, compact_after=st.integers(0, 6), erased=st.integers(0, 3), fails=st.booleans())
def test_nothing_of_an_erased_viewer_is_left_in_any_file(
    records: list[tuple[int, int]], compact_after: int, erased: int, fails: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for data in open_data(Path(folder)):
            fill(data, records, compact_after)
            expected = {user: data.count(user) for user in VIEWERS if user != VIEWERS[erased]}
            before, user = data.count(VIEWERS[erased]), VIEWERS[erased]
            data.lake_failures = [Unavailable("away", code="lake_unreachable")] if fails else []
            pending = data.eraser.begin(user)
            assert len(data.eraser.finish_due()) == (not fails)
            data.eraser.finish_due()
            receipt = data.eraser.journal.find_receipt(pending.id)
            assert receipt.status == "finished"
            assert list(receipt.removed.values()) == [
                before[3],
                before[0],
                before[0],
                *before[1:3],
                before[0],
            ]
            assert data.list_remains(user) == []
            assert {user: data.count(user) for user in expected} == expected
            export(data)
            assert data.list_remains(user) == []


def test_cached_training_rows_of_an_erased_viewer_are_built_again(data: DataDir) -> None:
    data.record(1, "ada-7f3", NOW)
    rows = data.path / "cache" / "config" / "2026-03-05-12-ab.rows"
    rows.parent.mkdir(parents=True)
    for user, is_kept in (("bob-7f3", True), ("ada-7f3", False)):
        rows.touch()
        data.eraser.begin(user)
        data.eraser.finish_due()
        assert rows.exists() == is_kept


def test_an_erasure_is_resumed_by_the_next_process(data: DataDir) -> None:
    data.record(1, "ada-7f3", NOW)
    data.lake_failures = [Unavailable("away", code="lake_unreachable")]
    pending = data.eraser.begin("ada-7f3")
    data.eraser.finish_due()
    assert data.eraser.begin("ada-7f3").id == pending.id
    assert (data.events.count(), data.eraser.journal.find_receipt(pending.id).finished_at) == (0, None)
    PrivacyUpkeep(DataDir(data.path).eraser, data.path / "rejects", None).run()
    assert data.eraser.journal.find_receipt(pending.id).finished_at == NOW
    assert data.list_remains("ada-7f3") == []


def test_files_wait_until_workers_have_written_what_they_hold(data: DataDir) -> None:
    data.record(1, "ada-7f3", NOW)
    eraser = ViewerEraser(data.eraser.places, data.eraser.journal, lambda: NOW, settle_s=75)
    pending = eraser.begin("ada-7f3")
    data.record(2, "ada-7f3", NOW)  # a worker that answered the page before
    assert eraser.finish_due() == []
    later = ViewerEraser(eraser.places, eraser.journal, lambda: NOW + timedelta(seconds=75))
    assert [receipt.id for receipt in later.finish_due()] == [pending.id]
    assert data.list_remains("ada-7f3") == []


def test_a_receipt_names_no_viewer_and_strange_ids_have_none(data: DataDir) -> None:
    journal = data.eraser.journal
    for erasure_id in ("none", "../lake", "", "pending/x"):
        with raises_code(NotFound, "erasure_unknown"):
            journal.find_receipt(erasure_id)
    with raises_code(BadRequest, "user_id_empty"):
        data.eraser.begin("")


def test_old_rejected_rows_are_removed_by_the_upkeep(data: DataDir) -> None:
    rejects = data.path / "rejects"
    for name, age_s in (("old", 31 * 86_400), ("new", 29 * 86_400)):
        (rejects / f"{name}.jsonl").touch()
        os.utime(rejects / f"{name}.jsonl", (0, NOW.timestamp() - age_s))
    PrivacyUpkeep(data.eraser, rejects, None).run()
    assert len(list(rejects.iterdir())) == 2
    PrivacyUpkeep(data.eraser, rejects, 30).run()
    assert [path.name for path in rejects.iterdir()] == ["new.jsonl"]


def test_a_directory_is_served_while_a_worker_holds_its_lock(tmp_path: Path) -> None:
    assert not is_served(tmp_path)
    (tmp_path / "workers").mkdir()
    (tmp_path / "workers" / "1.lock").touch()  # of a worker that was killed
    assert not is_served(tmp_path)
    hold_serving_lock(tmp_path)
    assert is_served(tmp_path)
