"""Resident memory of a load does not grow with the size of the file (measured on Linux)."""

import gzip
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

ROWS, TEXT = 100_000, "word " * 600
"""300 MB of rows after decompression."""
GROWTH_MB = 100
"""A third of the rows: a reader that held the file would exceed it."""

READER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from reelrank.loaders.items.catalogue import LoadOptions
from reelrank.loaders.fields.field_map import FieldRules
from reelrank.loaders.items.item_files import check_item_files
from reelrank.loaders.items.item_writer import ItemLoad
from reelrank.loaders.items.column_names import ITEM_FIELDS
from reelrank.loaders.files.source import open_source_files
with open_source_files(sys.argv[1], None) as (files, _):
    rejects, options = Path(sys.argv[1] + ".rejects"), LoadOptions(created_at=datetime.now(UTC))
    report = check_item_files(ItemLoad(files, FieldRules(ITEM_FIELDS), rejects, options))
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(report.read, int(status["VmHWM"].split()[0]) // 1024)  # ru_maxrss includes the parent before exec
"""


def generate_lines(count: int) -> Iterator[bytes]:
    for n in range(count):
        yield f'{{"id":"f{n}","title":"Film {n}","description":"{n} {TEXT}"}}\n'.encode()


def write_jsonl(path: Path, count: int) -> None:
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.writelines(generate_lines(count))


def write_csv(path: Path, count: int) -> None:
    with path.open("wb") as file:
        file.write(b"id,title,description\n")
        file.writelines(f'f{n},Film {n},"{n} {TEXT}"\n'.encode() for n in range(count))


def write_parquet(path: Path, count: int) -> None:
    ids = [f"f{n}" for n in range(count)]
    table = pa.table({"id": ids, "title": ids, "description": [f"{n} {TEXT}" for n in ids]})
    pyarrow.parquet.write_table(table, path, row_group_size=count, use_dictionary=False)


def measure_peak_mb(path: Path, rows: int) -> int:
    done = subprocess.run(
        [sys.executable, "-c", READER, str(path)], capture_output=True, text=True, timeout=300, check=True
    )
    read, peak = map(int, done.stdout.split())
    assert read == rows
    return peak


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "write"), [("f.jsonl.gz", write_jsonl), ("f.csv", write_csv), ("f.parquet", write_parquet)]
)
def test_memory_does_not_grow_with_the_file(
    tmp_path: Path, name: str, write: Callable[[Path, int], None]
) -> None:
    write(tmp_path / f"small.{name}", 2000)
    write(tmp_path / f"large.{name}", ROWS)
    small, large = (
        measure_peak_mb(tmp_path / f"small.{name}", 2000),
        measure_peak_mb(tmp_path / f"large.{name}", ROWS),
    )
    (tmp_path / f"large.{name}").unlink()
    assert large - small < GROWTH_MB, f"{large} MB for 300 MB of rows, {small} MB for 6 MB"
