"""Damaged bytes of valid files: every reader answers with an error of its own that says what to do."""

import bz2
import gzip
import io
import json
import lzma
import random
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.endurance.mutations import FEATURES, train_kind
from reelrank.index_mappings.decision import TABLES
from reelrank.index_mappings.errors import CodedError
from reelrank.loaders.files.readers import read_rows
from reelrank.loaders.files.source import ReadOptions, open_source_files
from reelrank.loaders.lake.check import check_lake
from reelrank.loaders.lake.storage import LakeStorage
from reelrank.ranking.progress import ignore_progress
from reelrank.ranking.rankers.loading import load_ranker
from reelrank.ranking.registry.models import Registry
from tests.unit.loaders.lake_rows import read_rows as read_lake_rows
from tests.unit.loaders.lake_rows import run_compaction, write_decisions

SEEDS = st.integers(0, 2**32)
ROWS = [{"id": f"i{n}", "title": f"Film {n}", "year": 1900 + n, "genres": ["A", "B"]} for n in range(60)]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
slow_reads = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def write_parquet(**options: str) -> bytes:
    written = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(ROWS), written, **options)
    return written.getvalue()


def zip_file(name: str, content: bytes) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return written.getvalue()


FILES: dict[str, Callable[[], bytes]] = {
    "snappy.parquet": write_parquet,
    "zstd.parquet": lambda: write_parquet(compression="zstd", data_page_version="2.0"),
    "films.jsonl": lambda: LINES,
    "films.jsonl.gz": lambda: gzip.compress(LINES),
    "films.jsonl.bz2": lambda: bz2.compress(LINES),
    "films.jsonl.xz": lambda: lzma.compress(LINES),
    "films.jsonl.zst": lambda: bytes(pa.compress(LINES, codec="zstd", asbytes=True)),
    "films.zip": lambda: zip_file("films.jsonl", LINES),
    "parquet.zip": lambda: zip_file("films.parquet", write_parquet()),
}


def damage(content: bytes, seed: int) -> bytes:
    """Cuts a file, changes bytes anywhere or at its end, where formats keep their tables, or moves a part."""
    rng, changed = random.Random(seed), bytearray(content)
    kind, at = rng.randrange(4), rng.randrange(len(content))
    if kind == 0:
        return content[:at]
    if kind == 1:
        return content[:at] + content[at + rng.randrange(1, 40) :]
    reach = len(content) if kind == 2 else min(400, len(content))
    for _ in range(rng.randrange(1, 6)):
        changed[-1 - rng.randrange(reach)] = rng.choice([0, 1, 127, 128, 255, rng.randrange(256)])
    return bytes(changed)


def read_or_refuse(read: Callable[[], object]) -> None:
    try:
        read()
    except CodedError as error:
        assert len(str(error)) > 20


@pytest.mark.parametrize("name", FILES)
@slow_reads
@given(seed=SEEDS)
def test_a_damaged_file_of_a_catalogue_is_refused_in_words(tmp_path: Path, name: str, seed: int) -> None:
    path = tmp_path / name
    path.write_bytes(damage(FILES[name](), seed))

    def read() -> None:
        with open_source_files(str(path), None, ReadOptions()) as (files, _):
            for rows in read_rows(files[0]):
                list(rows.block.records())

    read_or_refuse(read)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> LakeStorage:
    storage = LakeStorage(str(tmp_path_factory.mktemp("lake")))
    write_decisions(storage, [f"r{n}" for n in range(20)])
    run_compaction(storage)
    write_decisions(storage, ["later"])
    return storage


@settings(slow_reads, max_examples=6)
@given(seed=SEEDS)
def test_a_damaged_file_of_the_lake_is_named_by_every_reader(lake: LakeStorage, seed: int) -> None:
    files = [path for path in Path(lake.root).rglob("*") if path.suffix in (".parquet", ".json")]
    path = random.Random(seed).choice(sorted(files))
    content = path.read_bytes()
    path.write_bytes(damage(content, seed))
    try:
        for table in TABLES:
            read_or_refuse(lambda table=table: read_lake_rows(lake, table))  # type: ignore[misc]
        read_or_refuse(lambda: check_lake(lake, ignore_progress))
        read_or_refuse(lambda: run_compaction(lake, is_dry_run=True))
    finally:
        path.write_bytes(content)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("models")
    (directory / "mine.txt").write_text(train_kind("lambdarank"))
    manifest = {"id": "mine", "features": list(FEATURES)}
    Registry(directory).add_external(directory / "mine.txt", manifest, FEATURES, "-".join)
    return directory


@pytest.mark.parametrize("name", ["golden.parquet", "manifest.json"])
@slow_reads
@given(seed=SEEDS)
def test_damaged_files_beside_a_model_refuse_it(models: Path, name: str, seed: int) -> None:
    path = models / "mine" / name
    content = path.read_bytes()
    path.write_bytes(damage(content, seed))
    try:
        read_or_refuse(lambda: load_ranker(models / "mine", FEATURES, "-".join))
        assert [version.id for version in Registry(models).versions()] == ["mine"]
    finally:
        path.write_bytes(content)


@pytest.mark.parametrize("count", [5_000, 5_001, 12_000])
def test_a_table_of_too_many_columns_is_refused(tmp_path: Path, count: int) -> None:
    path = tmp_path / "wide.csv"
    path.write_text(f"id,title{',c' * (count - 2)}\n1,A{',' * (count - 2)}\n")
    with open_source_files(str(path), None) as ([file], _):
        if count > 5_000:
            with pytest.raises(CodedError, match=f"wide.csv has {count:,} columns"):
                list(read_rows(file))
        else:
            assert sum(len(rows.numbers) for rows in read_rows(file)) == 1
