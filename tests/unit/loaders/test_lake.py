"""The lake: what is written is read once, in order, before and after compaction."""

import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reelrank.app.engines.embedded.store.events import EmbeddedEvents
from reelrank.index_mappings.decision import CANDIDATES, EVENTS, REQUESTS, hash_user
from reelrank.index_mappings.errors import BadRequest
from reelrank.loaders.lake.check import check_lake
from reelrank.loaders.lake.manifest import find_folder, find_open_date, read_manifest
from reelrank.loaders.lake.parquet_files import drop_repeated
from reelrank.loaders.lake.reader import Lake
from reelrank.loaders.lake.retention import remove_expired
from reelrank.loaders.lake.storage import LakeStorage
from reelrank.loaders.lake.user_keys import UserKeys
from reelrank.loaders.lake.writer import LakeWriter
from reelrank.ranking.progress import ignore_progress
from tests.raised import raises_code
from tests.unit.loaders.lake_rows import (
    BEGIN,
    DAY,
    END,
    MORNING,
    NEXT_DAY,
    build_decisions,
    build_event,
    export,
    read_request_ids,
    read_rows,
    run_compaction,
    to_ms,
    write_decisions,
)


def test_decisions_of_an_open_date_are_read_by_the_hour(storage: LakeStorage) -> None:
    write_decisions(storage, ["b", "a"])
    write_decisions(storage, ["c"], MORNING + timedelta(hours=1))
    partitions = Lake(storage).list_partitions(REQUESTS, BEGIN, END)
    assert [(one.date, one.hour) for one in partitions] == [(DAY, 9), (DAY, 10)]
    assert read_request_ids(storage) == ["a", "b", "c"]
    assert [row["position"] for row in read_rows(storage, CANDIDATES)] == [0, 1, 2] * 3


def test_compaction_leaves_one_sorted_file_for_a_date(storage: LakeStorage) -> None:
    for request in "cab":
        write_decisions(storage, [request], MORNING + timedelta(hours=ord(request) % 5))
    before = sorted(map(str, read_rows(storage, CANDIDATES)))
    report = run_compaction(storage)
    assert (report.files_before, report.files_after, len(report.dates)) == (6, 2, 2)
    assert sorted(map(str, read_rows(storage, CANDIDATES))) == before
    assert read_request_ids(storage) == ["a", "b", "c"]
    assert len([file for file in storage.list_files(CANDIDATES) if file.path.endswith(".parquet")]) == 1


def test_an_open_date_is_never_compacted(storage: LakeStorage) -> None:
    write_decisions(storage, ["a"])
    for now in (MORNING, datetime(2026, 3, 5, 0, 59, tzinfo=UTC)):
        assert run_compaction(storage, now).dates == []
    assert run_compaction(storage, datetime(2026, 3, 5, 1, 0, tzinfo=UTC)).dates


def test_a_dry_run_changes_nothing(storage: LakeStorage) -> None:
    write_decisions(storage, ["a"])
    before = storage.list_files()
    assert run_compaction(storage, is_dry_run=True).files_before == 2
    assert storage.list_files() == before


def test_late_rows_go_to_their_date_and_change_its_revision(storage: LakeStorage) -> None:
    write_decisions(storage, ["a"])
    run_compaction(storage)
    (before,) = Lake(storage).list_partitions(REQUESTS, BEGIN, END)
    write_decisions(storage, ["late"], MORNING, NEXT_DAY)
    (after,) = Lake(storage).list_partitions(REQUESTS, BEGIN, END)
    assert after.date == DAY
    assert after.revision != before.revision
    assert read_request_ids(storage) == ["a", "late"]
    run_compaction(storage)
    assert read_request_ids(storage) == ["a", "late"]
    assert read_manifest(storage, REQUESTS, DAY).revision == 2


def test_a_scan_reads_the_times_it_was_asked_for(storage: LakeStorage) -> None:
    for hour in range(4):
        write_decisions(storage, [f"r{hour}"], MORNING + timedelta(hours=hour))
    begin, end = MORNING + timedelta(hours=1), MORNING + timedelta(hours=3)
    for _ in range(2):  # before compaction and after it
        assert [row["request_id"] for row in read_rows(storage, REQUESTS, begin, end)] == ["r1", "r2"]
        candidates = read_rows(storage, CANDIDATES, begin, end, columns=("item", "shown"))
        assert [tuple(row) for row in candidates] == [("item", "shown")] * 6
        run_compaction(storage)


def test_a_later_part_makes_a_row_of_the_group_shown(storage: LakeStorage) -> None:
    requests, candidates = build_decisions(["a"])
    writer = LakeWriter(storage)
    writer.write_decisions(requests, candidates, DAY)
    part = candidates.slice(2, 1).set_column(3, "shown", pa.array([True]))
    later = part.drop_columns(["signal_year"])
    LakeWriter(storage).write_decisions(requests.slice(0, 0), later, DAY)
    for _ in range(2):
        rows = read_rows(storage, CANDIDATES)
        assert [(row["position"], row["shown"], row["signal_year"]) for row in rows] == [
            (0, True, 1999), (1, True, 1999), (2, True, 1999)
        ]  # fmt: skip
        run_compaction(storage)


def test_files_with_other_signals_are_read_together(storage: LakeStorage) -> None:
    requests, candidates = build_decisions(["a"])
    LakeWriter(storage).write_decisions(requests, candidates, DAY)
    newer = candidates.rename_columns(
        [
            "request_id" if name == "request_id" else name.replace("year", "age")
            for name in candidates.column_names
        ]
    ).set_column(0, "request_id", pa.array(["b"] * 3))
    LakeWriter(storage).write_decisions(requests.slice(0, 0), newer, DAY)
    for _ in range(2):
        rows = read_rows(storage, CANDIDATES)
        assert {(row["request_id"], row["signal_year"], row["signal_age"]) for row in rows} == {
            ("a", 1999, None), ("b", None, 1999)
        }  # fmt: skip
        run_compaction(storage)


def test_large_dates_become_several_files_of_whole_requests(
    storage: LakeStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reelrank.loaders.lake.compaction.ROW_GROUP_ROWS", 50)
    ids = [f"{number:04d}" for number in range(100)]
    write_decisions(storage, ids[::2])
    write_decisions(storage, ids[1::2])
    report = run_compaction(storage, max_file_bytes=4000)
    assert report.files_after > 3
    assert read_request_ids(storage) == ids
    assert len(read_rows(storage, CANDIDATES)) == 300
    (partition,) = Lake(storage).list_partitions(CANDIDATES, BEGIN, END)
    of_file = [{row["request_id"] for row in read_file(storage, file.path)} for file in partition.files]
    assert sum(map(len, of_file)) == len(set().union(*of_file)) == 100


def read_file(storage: LakeStorage, path: str) -> list[dict[str, object]]:
    import pyarrow.parquet as pq

    rows: list[dict[str, object]] = pq.read_table(storage.open_file(path)).to_pylist()
    return rows


def test_events_are_exported_once_with_keys_for_users(
    storage: LakeStorage, events: EmbeddedEvents, tmp_path: Path
) -> None:
    events.append([build_event("1"), build_event("2", user="")])
    assert export(storage, events, tmp_path).events == 2
    events.append([build_event("2"), build_event("3", MORNING - timedelta(days=40))])
    assert export(storage, events, tmp_path).events == 1
    assert export(storage, events, tmp_path).total == 3
    secret = UserKeys(tmp_path / "lake.key").secret
    for _ in range(2):
        rows = read_rows(storage, EVENTS)
        assert [row["id"] for row in rows] == ["3", "1", "2"]
        assert [row["user_key"] for row in rows] == [hash_user("ada", secret)] * 2 + [""]
        run_compaction(storage)


@pytest.mark.parametrize("at_ms", [-(2**62) + 1, -1, 0, 2**62 - 1])
def test_an_event_of_any_time_is_exported(
    storage: LakeStorage, events: EmbeddedEvents, tmp_path: Path, at_ms: int
) -> None:
    events.append([build_event("1").__class__("1", "click", "ada", at_ms, "i1")])
    assert export(storage, events, tmp_path).events == 1
    urls = Lake(storage).list_urls(EVENTS, datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
    assert len(urls) == 1


def test_retention_removes_whole_dates_and_their_manifests(storage: LakeStorage) -> None:
    write_decisions(storage, ["old"], MORNING - timedelta(days=10))
    write_decisions(storage, ["new"])
    run_compaction(storage)
    assert remove_expired(storage, 5, NEXT_DAY, is_dry_run=True) == remove_expired(storage, 5, NEXT_DAY)
    assert read_request_ids(storage) == ["new"]
    assert {file.path.split("/")[1] for file in storage.list_files()} == {"date=2026-03-04"}
    assert remove_expired(storage, 0.1, NEXT_DAY - timedelta(hours=9)) == []


def test_a_check_names_what_is_wrong(storage: LakeStorage) -> None:
    write_decisions(storage, ["a", "b"])
    assert [finding.message for finding in check_lake(storage, ignore_progress).findings] == [
        "no event is exported yet; run: reelrank lake export"
    ]
    run_compaction(storage)
    (file,) = [file for file in storage.list_files(REQUESTS) if file.path.endswith(".parquet")]
    path = Path(storage.root, file.path)
    path.write_bytes(path.read_bytes()[:-20])
    (problem,) = check_lake(storage, ignore_progress).problems
    assert problem.path == file.path
    path.unlink()
    (problem,) = check_lake(storage, ignore_progress).problems
    assert "is gone" in problem.message


def test_unknown_tables_and_columns_are_refused(storage: LakeStorage) -> None:
    write_decisions(storage, ["a"])
    with raises_code(BadRequest, "lake_table_unknown"):
        read_rows(storage, "pages")
    with raises_code(BadRequest, "lake_column_unknown"):
        read_rows(storage, REQUESTS, columns=("user",))


def test_the_secret_is_created_once_and_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "lake.key"
    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(lambda _: UserKeys(path).secret, range(32)))
    assert len(set(made)) == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["lake.key"]


@pytest.mark.parametrize(
    ("at", "open_from", "hour"),
    [(MORNING, DAY, 9), (MORNING, date(2026, 3, 5), 0), (NEXT_DAY, DAY, 9)],
)
def test_rows_of_closed_dates_have_the_folder_of_hour_0(at: datetime, open_from: date, hour: int) -> None:
    assert find_folder(REQUESTS, to_ms(at), open_from).hour == hour


def test_yesterday_is_open_for_an_hour_after_midnight() -> None:
    assert find_open_date(datetime(2026, 3, 5, 0, 30, tzinfo=UTC)) == DAY
    assert find_open_date(datetime(2026, 3, 5, 1, 30, tzinfo=UTC)) == date(2026, 3, 5)


@settings(deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.booleans()), max_size=30),
    sizes=st.lists(st.integers(1, 5), min_size=1, max_size=10),
)
def test_repeated_rows_are_dropped_wherever_batches_end(
    rows: list[tuple[int, int, bool]], sizes: list[int]
) -> None:
    ordered = sorted(rows)
    columns = {"a": [r[0] for r in ordered], "b": [r[1] for r in ordered], "shown": [r[2] for r in ordered]}
    table, batches, start = pa.table(columns) if rows else None, list[pa.RecordBatch](), 0
    while table is not None and start < len(table):
        size = sizes[len(batches) % len(sizes)]
        batches += table.slice(start, size).combine_chunks().to_batches()
        start += size
    left = [tuple(row.values()) for batch in drop_repeated(batches, ("a", "b")) for row in batch.to_pylist()]
    expected: dict[tuple[int, int], bool] = {}
    for a, b, shown in ordered:
        expected[a, b] = expected.get((a, b), False) or shown
    assert left == [(a, b, shown) for (a, b), shown in sorted(expected.items())]


def test_a_file_of_a_build_without_a_nullable_column_is_whole(storage: LakeStorage) -> None:
    write_decisions(storage, ["a", "b"])
    (file,) = [file for file in storage.list_files(CANDIDATES) if file.path.endswith(".parquet")]
    path = Path(storage.root, file.path)
    pq.write_table(pq.ParquetFile(path).read().drop_columns(["team"]), path)
    assert not check_lake(storage, ignore_progress).problems
    assert {row.get("team") for row in read_rows(storage, CANDIDATES)} == {None}
