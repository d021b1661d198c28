"""Logged pages with their outcomes: the same in parts as whole, compacted or not, late rows included."""

import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from reelrank.app.engines.embedded.store.events import EmbeddedEvents
from reelrank.index_mappings.decision import EVENTS
from reelrank.index_mappings.event import Event
from reelrank.loaders.lake.attribution import AttributionInputs, attribute_whole
from reelrank.loaders.lake.merge import cut_batches
from reelrank.loaders.lake.reader import Lake
from reelrank.loaders.lake.storage import LakeStorage
from reelrank.loaders.lake.user_keys import UserKeys
from reelrank.loaders.lake.writer import LakeWriter
from reelrank.loaders.logged.pages import ReadOptions, read_logged_pages
from reelrank.loaders.logged.request_cursor import RequestCursor
from reelrank.ranking.labels.attribution import AttributionRules, AttributionSpan
from reelrank.ranking.training.logged_rows import LoggedPages
from tests.unit.loaders.lake_rows import (
    BEGIN,
    END,
    MORNING,
    NEXT_DAY,
    build_decisions,
    build_event,
    export,
    run_compaction,
    to_ms,
    write_decisions,
)

TIMES = [MORNING + timedelta(hours=hours) for hours in (0, 1, 14, 20, 26)]
OPTIONS = ReadOptions(to_ms(END), ("rank_bm25", "signal_year"), rows=5)


@pytest.fixture
def storage(tmp_path: Path) -> LakeStorage:
    """Four requests at each of some times; of each second one, the second item was clicked."""
    storage = LakeStorage(str(tmp_path / "lake"))
    clicks = list[Event]()
    for number, at in enumerate(TIMES):
        ids = [f"{number}-{n}" for n in range(4)]
        write_decisions(storage, ids[:2], at, at)
        write_decisions(storage, ids[2:], at, at + timedelta(days=number % 2))  # later ones come late
        clicks += [build_event(id_, at + timedelta(minutes=5), request_id=id_) for id_ in ids[::2]]
    events = EmbeddedEvents(tmp_path / "engine")
    events.append(clicks)
    export(storage, events, tmp_path)
    return storage


def read(storage: LakeStorage, begin: datetime = BEGIN, end: datetime = END) -> list[LoggedPages]:
    return list(read_logged_pages(Lake(storage), begin, end, OPTIONS))


def collect(parts: Sequence[LoggedPages], table: str) -> list[dict[str, Any]]:
    rows = [row for part in parts for row in getattr(part, table).to_pylist()]
    return sorted(rows, key=lambda row: (row["request_id"], row.get("item", "")))


def check_all_read(parts: Sequence[LoggedPages]) -> None:
    ids = [f"{number}-{n}" for number in range(len(TIMES)) for n in range(4)]
    assert [row["request_id"] for row in collect(parts, "requests")] == ids
    assert [row["request_id"] for row in collect(parts, "candidates")] == [i for i in ids for _ in range(3)]
    clicked = [row["request_id"] for row in collect(parts, "outcomes") if row["clicked"]]
    assert clicked == [i for i in ids if int(i[-1]) % 2 == 0]


def test_every_page_is_read_once_with_its_outcomes(storage: LakeStorage) -> None:
    parts = read(storage)
    assert len(parts) > len(TIMES)
    check_all_read(parts)


def test_compaction_changes_nothing(storage: LakeStorage) -> None:
    before = read(storage)
    run_compaction(storage, NEXT_DAY + timedelta(days=3))
    for table in ("requests", "candidates", "outcomes"):
        assert collect(read(storage), table) == collect(before, table)


def test_outcomes_are_those_of_one_query_over_everything(storage: LakeStorage) -> None:
    tables = [build_decisions([f"{n}-{i}" for i in range(4)], at) for n, at in enumerate(TIMES)]
    requests, candidates = (pa.concat_tables(column) for column in zip(*tables, strict=True))
    requests = requests.append_column("user_key", pa.array([""] * len(requests)))
    events = pa.Table.from_batches(Lake(storage).scan(EVENTS, BEGIN, END))
    inputs = AttributionInputs(requests, candidates, events)
    whole = attribute_whole(inputs, AttributionSpan(to_ms(BEGIN), to_ms(END), to_ms(END)), AttributionRules())
    assert collect(read(storage), "outcomes") == whole.to_pylist()


def test_a_click_without_a_page_counts_once_across_partitions(tmp_path: Path) -> None:
    """It belongs to the latest page before it, which may lie in another hour or on another date."""
    storage, keys = LakeStorage(str(tmp_path / "lake")), UserKeys(tmp_path / "lake.key")
    events = EmbeddedEvents(tmp_path / "engine")
    borders = [MORNING.replace(hour=10, minute=0), MORNING.replace(hour=0, minute=0) + timedelta(days=1)]
    for number, border in enumerate(borders):
        for name, minutes in (("before", -2), ("after", 2)):
            at = border + timedelta(minutes=minutes)
            requests, candidates = build_decisions([f"{number} {name}"], at)
            keyed = requests.append_column("user_key", pa.array([keys.get_key(f"viewer-{number}")]))
            LakeWriter(storage).write_decisions(keyed, candidates, at.date())
        events.append([build_event(f"e{number}", border + timedelta(minutes=3), f"viewer-{number}")])
    export(storage, events, tmp_path)
    whole = read(storage)
    clicked = [row["request_id"] for row in collect(whole, "outcomes") if row["clicked"]]
    assert clicked == ["0 after", "1 after"]
    step = timedelta(minutes=45)  # no hour, no date
    spans = [(BEGIN + step * n, BEGIN + step * (n + 1)) for n in range((END - BEGIN) // step + 1)]
    cut = [pages for span in spans for pages in read(storage, *span)]
    for table in ("requests", "outcomes"):
        assert collect(cut, table) == collect(whole, table)


def test_a_span_cuts_by_the_time_of_the_request(storage: LakeStorage) -> None:
    parts = read(storage, TIMES[1], TIMES[3])
    assert {row["request_id"][0] for row in collect(parts, "requests")} == {"1", "2"}


def test_a_partition_without_a_wanted_column_is_skipped_and_named(storage: LakeStorage) -> None:
    skipped: list[str] = []
    options = ReadOptions(to_ms(END), ("signal_new",), on_skipped=skipped.append)
    assert list(read_logged_pages(Lake(storage), BEGIN, END, options)) == []
    assert skipped
    assert all("signal_new" in reason for reason in skipped)


def test_parts_hold_whole_requests() -> None:
    ids = ["a"] * 3 + ["b"] * 9 + ["c"] + ["d"] * 2
    batches = pa.table({"request_id": ids}).to_batches(max_chunksize=2)
    parts = [part["request_id"].to_pylist() for part in cut_batches(batches, 4, "request_id")]
    assert [name for part in parts for name in part] == ids
    assert all(not set(one) & set(other) for one, other in itertools.pairwise(parts))


def test_a_cursor_keeps_what_comes_later() -> None:
    table = pa.table({"request_id": ["a", "a", "c", "d"]})
    cursor = RequestCursor(table.to_batches(max_chunksize=3), table.schema)
    assert cursor.read_until("a").num_rows == 2
    assert cursor.read_until("b").num_rows == 0
    assert cursor.read_until("z")["request_id"].to_pylist() == ["c", "d"]
    assert cursor.read_until("zz").num_rows == 0
