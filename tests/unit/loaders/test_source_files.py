"""Source files: all formats and compressions give the same numbered rows, from the start or from any row."""

import gzip
import io
from collections.abc import Callable
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from reelrank.loaders.fields.field_map import FieldRules
from reelrank.loaders.fields.mapped_rows import read_mapped_rows
from reelrank.loaders.files.readers import read_rows
from reelrank.loaders.files.rows import Rows
from reelrank.loaders.files.source import Format, SourceError, SourceFile, open_source_files, spool_input
from reelrank.loaders.items.column_names import ITEM_FIELDS
from tests.raised import raises_code

COUNT = 3000
TABLE = pa.table(
    {
        "id": [f"f{n}" for n in range(COUNT)],
        "title": [f'Film "{n}",\nof two lines' for n in range(COUNT)],
        "year": [str(1950 + n % 70) for n in range(COUNT)],
    }
)


def open_files(path: object, file_format: Format | None = None) -> list[SourceFile]:
    with open_source_files(str(path), file_format) as (files, _):
        return files


def encode_csv(table: pa.Table) -> bytes:
    written = io.BytesIO()
    pyarrow.csv.write_csv(table, written)
    return written.getvalue()


def encode_jsonl(table: pa.Table) -> bytes:
    return b"".join(orjson.dumps(row) + b"\n" for row in table.to_pylist())


def encode_parquet(table: pa.Table) -> bytes:
    written = io.BytesIO()
    pyarrow.parquet.write_table(table, written, row_group_size=1700)
    return written.getvalue()


WRITERS: dict[str, Callable[[pa.Table], bytes]] = {
    "csv": encode_csv,
    "jsonl": encode_jsonl,
    "parquet": encode_parquet,
}
COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "": lambda plain: plain,
    ".gz": gzip.compress,
    ".zst": lambda plain: pa.Codec("zstd").compress(plain, asbytes=True),
}


@pytest.mark.parametrize("suffix", WRITERS)
@pytest.mark.parametrize("compression", COMPRESSORS)
def test_all_formats_and_compressions_give_the_same_rows(
    tmp_path: Path, suffix: str, compression: str
) -> None:
    path = tmp_path / f"films.{suffix}{compression}"
    path.write_bytes(COMPRESSORS[compression](WRITERS[suffix](TABLE)))
    read = list(read_rows(open_files(path)[0]))
    assert [row for rows in read for row in rows.block.records()] == TABLE.to_pylist()
    assert read[-1].done == 1.0


def test_all_gzip_streams_of_a_file_are_read(tmp_path: Path) -> None:
    path = tmp_path / "films.jsonl.gz"
    path.write_bytes(gzip.compress(encode_jsonl(TABLE[:5])) + gzip.compress(encode_jsonl(TABLE[5:])))
    assert sum(rows.row_count for rows in read_rows(open_files(path)[0])) == COUNT


@pytest.mark.parametrize("suffix", WRITERS)
def test_a_truncated_file_is_an_error_that_names_it(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"films.{suffix}.gz"
    path.write_bytes(gzip.compress(WRITERS[suffix](TABLE))[:-200])
    with raises_code(SourceError, "source_unreadable"):
        list(read_rows(open_files(path)[0]))


def test_standard_input_is_identified_by_its_content(tmp_path: Path) -> None:
    compressed = gzip.compress(encode_csv(TABLE))
    first = spool_input(io.BytesIO(compressed), tmp_path / "a", "csv")
    again = spool_input(io.BytesIO(compressed), tmp_path / "b", "csv")
    other = spool_input(io.BytesIO(encode_csv(TABLE[1:])), tmp_path / "c", "csv")
    assert sum(rows.row_count for rows in read_rows(first)) == COUNT
    assert (first.identity == again.identity, first.identity == other.identity) == (True, False)


def test_folders_are_read_in_name_order_and_name_skipped_files(tmp_path: Path) -> None:
    for name in ("b.csv", "a.jsonl", "deep/c.parquet", "notes.md", "_SUCCESS"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(WRITERS.get(name.rpartition(".")[2], encode_csv)(TABLE[:2]))
    with open_source_files(str(tmp_path), None) as (files, skipped):
        assert [Path(file.name).name for file in files] == ["a.jsonl", "b.csv", "c.parquet"]
        assert [Path(name).name for name in skipped] == ["notes.md"]
    assert [Path(file.name).name for file in open_files(tmp_path / "*.csv")] == ["b.csv"]


@pytest.mark.parametrize(
    ("location", "code"),
    [
        ("nowhere.csv", "source_not_found"),
        ("films", "source_format_unknown"),
        ("-", "source_format_unknown"),
        ("none*.csv", "source_format_unknown"),
    ],
)
def test_a_missing_source_or_an_unknown_format_is_refused(
    tmp_path: Path, location: str, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("films").write_text("id,title\n")
    with raises_code(SourceError, code):
        open_files(location)


def list_row_numbers(rows: Rows) -> list[int]:
    return sorted([*rows.numbers.tolist(), *(reject.row for reject in rows.unreadable)])


def write_broken_csv(path: Path) -> None:
    lines = [f"f{n},Film {n}" if n % 7 else f"f{n}" for n in range(1, COUNT + 1)]
    lines[40] = "f41,\udcff\udcfe"
    path.write_bytes("\n".join(["id,title", *lines]).encode(errors="surrogateescape"))


def write_broken_jsonl(path: Path) -> None:
    lines = [f'{{"id":"f{n}","title":"Film {n}"}}' if n % 7 else "{" for n in range(1, COUNT + 1)]
    lines[40] = "[1]"
    path.write_text("\n".join(lines))


@pytest.mark.parametrize(("name", "write"), [("f.csv", write_broken_csv), ("f.jsonl", write_broken_jsonl)])
def test_unreadable_rows_keep_their_number_and_others_are_read(
    tmp_path: Path, name: str, write: Callable[[Path], None]
) -> None:
    write(tmp_path / name)
    rules = FieldRules(ITEM_FIELDS)
    pieces = [mapped.rows for mapped in read_mapped_rows(open_files(tmp_path / name), rules)]
    assert [number for rows in pieces for number in list_row_numbers(rows)] == list(range(1, COUNT + 1))
    bad = {reject.row for rows in pieces for reject in rows.unreadable}
    assert bad == {n for n in range(1, COUNT + 1) if n % 7 == 0} | {41}
    for rows in pieces:
        read = [row["title"] for row in rows.block.records()]
        assert read == [f"Film {n}" for n in rows.numbers.tolist()]


@pytest.mark.parametrize(("name", "write"), [("f.csv", write_broken_csv), ("f.jsonl", write_broken_jsonl)])
@pytest.mark.parametrize("after", [1, 7, 41, 999, 1000, 1001, COUNT - 1, COUNT])
def test_reading_resumes_after_any_row(
    tmp_path: Path, name: str, write: Callable[[Path], None], after: int
) -> None:
    write(tmp_path / name)
    later = read_mapped_rows(open_files(tmp_path / name), FieldRules(ITEM_FIELDS), (0, after))
    assert [n for mapped in later for n in list_row_numbers(mapped.rows)] == list(range(after + 1, COUNT + 1))


JSON_DOCUMENTS: dict[str, Callable[[list[dict[str, str]]], bytes]] = {
    "array": orjson.dumps,
    "search answers": lambda rows: b"\n".join(
        orjson.dumps({"hits": {"hits": [{"_source": row} for row in rows[n : n + 1300]]}})
        for n in range(0, len(rows), 1300)
    ),
    "bulk": lambda rows: b"".join(b'{"index":{}}\n' + orjson.dumps(row) + b"\n" for row in rows),
}


@pytest.mark.parametrize("kind", JSON_DOCUMENTS)
@pytest.mark.parametrize("pieces", [0, 1, 2])
def test_reading_resumes_after_any_piece_of_a_json_document(tmp_path: Path, kind: str, pieces: int) -> None:
    rows = [{"id": f"f{n}", "title": f"Film {n}"} for n in range(COUNT)]
    (tmp_path / "f.json").write_bytes(JSON_DOCUMENTS[kind](rows))
    files, rules = open_files(tmp_path / "f.json"), FieldRules(ITEM_FIELDS)
    all_pieces = list(read_mapped_rows(files, rules))
    read = [row for mapped in all_pieces[:pieces] for row in mapped.rows.block.records()]
    after = all_pieces[pieces - 1].rows.last_row if pieces else 0
    later = read_mapped_rows(files, rules, (0, after))
    assert [*read, *(row for mapped in later for row in mapped.rows.block.records())] == rows


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_detected_from_the_header(tmp_path: Path, delimiter: str) -> None:
    path = tmp_path / "f.csv"
    path.write_text(f'id{delimiter}"a;,|\ttitle"\nf1{delimiter}One\n')
    assert next(read_rows(open_files(path)[0])).block.records()[0] == {"id": "f1", "a;,|\ttitle": "One"}


@pytest.mark.parametrize("suffix", WRITERS)
def test_the_share_of_a_file_that_was_read_is_accurate(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"films.{suffix}"
    path.write_bytes(WRITERS[suffix](pa.concat_tables([TABLE] * 30)))
    read, errors = 0, []
    for mapped in read_mapped_rows(open_files(path), FieldRules(ITEM_FIELDS)):
        read += mapped.rows.row_count
        errors.append(abs(read / (30 * COUNT) - mapped.done))
    assert max(errors) < 0.05, errors


def test_byte_order_marks_and_carriage_returns_are_removed(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_bytes(b"\xef\xbb\xbfid,title\r\nf1,One\r\n")
    (tmp_path / "f.jsonl").write_bytes(b'\xef\xbb\xbf{"id":"f1","title":"One"}\r\n')
    for name in ("f.csv", "f.jsonl"):
        rows = next(read_rows(open_files(tmp_path / name)[0]))
        assert rows.block.records()[0] == {"id": "f1", "title": "One"}


def test_a_repeated_column_gets_a_number(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("id,title,title,title_2,title\n1,2,3,4,5\n")
    row = next(read_rows(open_files(tmp_path / "f.csv")[0])).block.records()[0]
    assert list(row) == ["id", "title", "title_2", "title_2_2", "title_3"]
