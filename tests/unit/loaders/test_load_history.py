"""Records of loads: newest first, whole lines only, names without folders."""

from datetime import UTC, datetime
from pathlib import Path

from reelrank.loaders.load_history import HISTORY_FILE, LoadRecord, append_load, name_files, read_loads
from reelrank.loaders.report import FileReport

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def test_the_newest_loads_come_first_and_a_cut_line_is_left_out(tmp_path: Path) -> None:
    for n in range(4):
        append_load(tmp_path, LoadRecord(at=NOW, kind="items", files=(f"{n}.csv",)))
    with (tmp_path / HISTORY_FILE).open("ab") as file:
        file.write(b'{"at": "2026')
    append_load(tmp_path, LoadRecord(at=NOW, kind="events", files=("last.csv",)))
    assert [record.files for record in read_loads(tmp_path, 3)] == [("last.csv",), ("3.csv",), ("2.csv",)]
    assert read_loads(tmp_path / "none", 3) == []


def test_a_record_has_the_counts_of_its_report() -> None:
    report = FileReport(10, 7, 3, 7, 1.5, rejects=Path("/somewhere/items-1.jsonl"))
    record = LoadRecord(at=NOW, kind="items", files=()).add_report(report)
    assert (record.read, record.written, record.rejected, record.rejects) == (10, 7, 3, "items-1.jsonl")


def test_many_files_are_counted() -> None:
    assert name_files(["/data/a.csv", "b.csv", "c.csv", "d.csv", "e.csv"]) == (
        "a.csv", "b.csv", "c.csv", "2 more",
    )  # fmt: skip
