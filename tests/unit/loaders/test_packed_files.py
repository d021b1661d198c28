"""Archives, compressions and encodings: what is inside is read, and what cannot be read is named."""

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

from reelrank.loaders.files import streams
from reelrank.loaders.files.readers import read_rows
from reelrank.loaders.files.source import ReadOptions, SourceError, open_source_files
from tests.raised import raises_code

CSV = "id,title\nf1,Caf\N{LATIN SMALL LETTER E WITH ACUTE}\nf2,Two\n"
ROWS = [{"id": "f1", "title": "Caf\N{LATIN SMALL LETTER E WITH ACUTE}"}, {"id": "f2", "title": "Two"}]
DETECTED = ReadOptions()


def zip_files(files: dict[str, bytes]) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return written.getvalue()


def read_records(path: Path, options: ReadOptions = DETECTED) -> list[dict[str, Any]]:
    with open_source_files(str(path), None, options) as (files, _):
        return [dict(row) for rows in read_rows(files[0]) for row in rows.block.records()]


def write_parquet() -> bytes:
    written = io.BytesIO()
    pyarrow.parquet.write_table(pa.Table.from_pylist(ROWS), written)
    return written.getvalue()


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".xz": lzma.compress,
    ".bz2": bz2.compress,
    ".zip": lambda plain: zip_files({"films.csv": plain}),
}
PACKED = {
    "films.zip": zip_files({"films.csv": CSV.encode()}),
    "folder.zip": zip_files(
        {"films/films.csv": CSV.encode(), "films/README.txt": b"", "__MACOSX/f.csv": b""}
    ),
    "gzip.zip": zip_files({"films.csv.gz": gzip.compress(CSV.encode())}),
    "parquet.zip": zip_files({"films.parquet": write_parquet()}),
    "films.csv.bz2": bz2.compress(CSV[:20].encode()) + bz2.compress(CSV[20:].encode()),
    "films.csv.xz": lzma.compress(CSV.encode()),
    "films.parquet.xz": lzma.compress(write_parquet()),
    "zip_by_another_name.csv": zip_files({"films.csv": CSV.encode()}),
    "utf-16.csv": CSV.encode("utf-16"),
    "big-endian.csv": b"\xfe\xff" + CSV.encode("utf-16-be"),
    "utf-32.csv": CSV.encode("utf-32"),
    "utf-16.csv.gz": gzip.compress(CSV.encode("utf-16")),
    "carriage_returns.csv": CSV.replace("\n", "\r").encode(),
}


@pytest.mark.parametrize("name", PACKED)
def test_packed_files_give_the_rows_inside(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(PACKED[name])
    assert read_records(tmp_path / name) == ROWS


def test_one_of_several_files_in_an_archive_is_named(tmp_path: Path) -> None:
    path = tmp_path / "movielens.zip"
    path.write_bytes(zip_files({"ml/movies.csv": CSV.encode(), "ml/ratings.csv": b"id\n"}))
    with raises_code(SourceError, "archive_member_unclear"):
        read_records(path)
    for name in ("movies.csv", "ml/movies.csv"):
        assert read_records(path, ReadOptions(member=name)) == ROWS
    with raises_code(SourceError, "archive_member_unclear"):
        read_records(path, ReadOptions(member="films.csv"))


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (zip_files({"[Content_Types].xml": b"", "xl/sheet1.xml": b""}), "source_format_mismatch"),
        (zip_files({"notes.txt": b""}), "archive_member_unclear"),
        (zip_files({}), "archive_member_unclear"),
        (b"PK\x03\x04 not an archive", "source_unreadable"),
        (zip_files({"films.csv": zip_files({"a.csv": b""})}), "source_format_mismatch"),
    ],
)
def test_archives_without_rows_are_refused(tmp_path: Path, content: bytes, code: str) -> None:
    (tmp_path / "films.zip").write_bytes(content)
    with raises_code(SourceError, code):
        read_records(tmp_path / "films.zip")


def test_an_encrypted_archive_is_refused(tmp_path: Path) -> None:
    content = bytearray(zip_files({"films.csv": CSV.encode()}))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + offset] |= streams.ENCRYPTED
    (tmp_path / "films.zip").write_bytes(content)
    with raises_code(SourceError, "source_unreadable"):
        read_records(tmp_path / "films.zip")


@pytest.mark.parametrize(
    "name", ["films.csv.gz", "films.csv.xz", "films.csv.bz2", "films.zip", "f.parquet.gz"]
)
def test_a_file_that_expands_without_end_is_refused(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "MIN_EXPANDED_BYTES", 1 << 20)
    plain = b"id,title\n" + b"0" * (20 << 20)
    (tmp_path / name).write_bytes(PACKERS[Path(name).suffix](plain))
    with raises_code(SourceError, "source_unreadable"):
        read_records(tmp_path / name)


@pytest.mark.parametrize("name", ["films.csv.xz", "films.csv.bz2"])
def test_a_truncated_compressed_file_is_refused(tmp_path: Path, name: str) -> None:
    content = (CSV * 1000).encode()
    packed = lzma.compress(content) if name.endswith("xz") else bz2.compress(content)
    (tmp_path / name).write_bytes(packed[:-20])
    with raises_code(SourceError, "source_unreadable"):
        read_records(tmp_path / name)


def test_a_stated_encoding_is_used_and_checked(tmp_path: Path) -> None:
    path = tmp_path / "films.csv"
    path.write_bytes(CSV.encode("cp1252"))
    assert read_records(path, ReadOptions(encoding="cp1252")) == ROWS
    with raises_code(SourceError, "source_unreadable"):
        read_records(path, ReadOptions(encoding="utf-8"))
    with raises_code(SourceError, "unknown_encoding"):
        ReadOptions(encoding="latin-99")
