"""Generated files: every row is read, as Python's csv and json modules read it."""

import csv
import gzip
import io
import json
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reelrank.loaders.files.readers import read_rows
from reelrank.loaders.files.source import Format, ReadOptions, SourceError, open_source_files

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\t"), max_size=20)
MARKED_TEXT = st.text(st.sampled_from('ab ,;|"\\\n'), max_size=12)
CELL = TEXT.filter(lambda text: text == text.strip()) | MARKED_TEXT
ROWS = st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=30)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8,
)
RECORDS = st.lists(
    st.builds(lambda title, other: {"title": title, "other": other}, TEXT, JSON_VALUES),
    min_size=2,
    max_size=30,
)
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".xz": lzma.compress,
    ".zip": lambda content: zip_files({"rows": content}),
}


def zip_files(files: dict[str, bytes]) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return written.getvalue()


def read_records(name: str, content: bytes, options: ReadOptions | None = None) -> list[dict[str, Any]]:
    """Reads a file of this content; every row has to be readable."""
    with TemporaryDirectory() as directory:
        path = Path(directory) / name
        path.write_bytes(content)
        file_format: Format = "csv" if "csv" in name else "tsv" if "tsv" in name else "jsonl"
        with open_source_files(str(path), file_format, options or ReadOptions()) as (files, _):
            blocks = list(read_rows(files[0]))
    assert [reject for rows in blocks for reject in rows.unreadable] == []
    numbers = [number for rows in blocks for number in rows.numbers.tolist()]
    assert numbers == sorted(set(numbers)), "a load resumes after a number"
    return [dict(row) for rows in blocks for row in rows.block.records()]


def write_csv(rows: list[tuple[str, ...]], **dialect: Any) -> str:
    written = io.StringIO()
    writer = csv.writer(written, **{"lineterminator": "\n", **dialect})
    writer.writerow(["n", "first", "second", "third"])
    writer.writerows([f"row {n}", *row] for n, row in enumerate(rows))
    return written.getvalue()


@settings(max_examples=60, deadline=None)
@given(rows=ROWS, delimiter=st.sampled_from(",;|\t"), packer=st.sampled_from(sorted(PACKERS)))
def test_a_written_csv_has_the_rows_of_the_csv_module(
    rows: list[tuple[str, ...]], delimiter: str, packer: str
) -> None:
    text = write_csv(rows, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    expected = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter))
    content = PACKERS[packer](text.encode())
    assert read_records(f"films.csv{packer}", content, ReadOptions(quotes="csv")) == expected


@settings(max_examples=60, deadline=None)
@given(rows=ROWS)
def test_a_csv_has_all_its_rows_or_is_refused(rows: list[tuple[str, ...]]) -> None:
    """Without a statement about quote marks a value that looks like rows is refused, never swallowed."""
    text = write_csv(rows)
    try:
        read = read_records("films.csv", text.encode())
    except SourceError as error:
        assert "--quote csv" in str(error)
    else:
        assert read == list(csv.DictReader(io.StringIO(text, newline="")))


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(TEXT, TEXT, TEXT), min_size=1, max_size=30))
def test_a_csv_with_backslash_escapes_keeps_its_quote_marks(rows: list[tuple[str, ...]]) -> None:
    marked = [('He said "no", twice', *row[1:]) for row in rows]
    dialect = {"escapechar": "\\", "doublequote": False, "quoting": csv.QUOTE_ALL}
    text = write_csv(marked, **dialect)
    expected = list(csv.DictReader(io.StringIO(text, newline=""), escapechar="\\", doublequote=False))
    assert read_records("films.csv", text.encode()) == expected


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.text(st.sampled_from('ab ,"'), max_size=9), min_size=1, max_size=30))
def test_a_tsv_has_as_many_rows_as_lines(rows: list[str]) -> None:
    lines = [f"f{n}\t{title}\t1999" for n, title in enumerate(rows)]
    read = read_records("films.tsv", "\n".join(["id\ttitle\tyear", *lines, ""]).encode())
    assert ["\t".join(row.values()) for row in read] == lines


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.tuples(TEXT, TEXT, TEXT), min_size=1, max_size=20),
    encoding=st.sampled_from(["utf-16", "utf-32", "utf-8-sig"]),
    line_end=st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_other_encodings_and_line_ends_give_the_same_rows(
    rows: list[tuple[str, ...]], encoding: str, line_end: str
) -> None:
    text = write_csv(rows, lineterminator=line_end)
    expected = list(csv.DictReader(io.StringIO(text, newline="")))
    assert read_records("films.csv", text.encode(encoding)) == expected


JSON_WRITERS: dict[str, Callable[[list[dict[str, Any]]], str]] = {
    "lines": lambda rows: "\n".join(map(json.dumps, rows)),
    "array": json.dumps,
    "indented array": lambda rows: json.dumps(rows, indent=2),
    "indented objects": lambda rows: "\n".join(json.dumps(row, indent=1) for row in rows),
    "search answer": lambda rows: json.dumps(
        {"hits": {"hits": [{"_source": row} for row in rows]}}, indent=2
    ),
    "search answers, one a line": lambda rows: "\n".join(
        json.dumps({"took": 3, "hits": {"hits": [{"_source": row}]}}) for row in rows
    ),
    "elasticdump": lambda rows: "\n".join(
        json.dumps({"_index": "films", "_type": "_doc", "_score": 1, "_source": row}) for row in rows
    ),
    "bulk request": lambda rows: "\n".join(
        f'{{"index":{{"_index":"films"}}}}\n{json.dumps(row)}' for row in rows
    ),
    "API answer": lambda rows: json.dumps({"page": 1, "results": rows}),
    "comments": lambda rows: "// films\n[" + ", // next\n".join(map(json.dumps, rows)) + ", /* end */ ]",
}


@pytest.mark.parametrize("kind", JSON_WRITERS)
@settings(max_examples=30, deadline=None)
@given(records=RECORDS)
def test_json_of_every_shape_gives_the_same_rows(kind: str, records: list[dict[str, Any]]) -> None:
    assert read_records("films.json", JSON_WRITERS[kind](records).encode()) == records


@pytest.mark.parametrize("array", [False, True])
def test_numbers_that_are_too_large_stay_as_written(array: bool) -> None:
    line = '{"id": 123456789012345678901234567890, "year": NaN, "half": "\\ud83d", "whole": "\\ud83d\\udca9"}'
    (row,) = read_records("films.json", (f"[{line}]" if array else line).encode())
    assert row["id"] == "123456789012345678901234567890"
    assert (row["half"], row["whole"]) == ("\N{REPLACEMENT CHARACTER}", "\N{PILE OF POO}")


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.lists(st.binary(max_size=6), min_size=1, max_size=4), min_size=1, max_size=12),
    has_good_row=st.booleans(),
)
def test_rows_of_any_bytes_are_read_or_rejected(rows: list[list[bytes]], has_good_row: bool) -> None:
    """TSV has no quote marks, so that a row is a line."""
    lines = [b"f\t" + b"\t".join(cells) for cells in rows] + [b"f\tx"] * has_good_row
    content = b"\n".join([b"id\ttitle", *(line.translate(None, b"\r\n\x00") for line in lines), b""])
    with TemporaryDirectory() as directory:
        path = Path(directory) / "films.tsv"
        path.write_bytes(content.translate(None, bytes(range(1, 9)) + bytes(range(11, 32))))
        with open_source_files(str(path), None) as (files, _):
            blocks = list(read_rows(files[0]))
    numbers = [n for rows in blocks for n in (*rows.numbers.tolist(), *(r.row for r in rows.unreadable))]
    assert sorted(numbers) == list(range(1, len(lines) + 1))
