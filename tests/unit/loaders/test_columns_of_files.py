"""Columns that only a whole file explains: times since 1970, and paths into nested records."""

import io
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet
import pytest

from reelrank.index_mappings.item import Item
from reelrank.loaders.fields.field_map import FieldRules, parse_field_pairs
from reelrank.loaders.fields.mapped_rows import read_mapped_rows
from reelrank.loaders.files.source import SourceError, open_source_files
from reelrank.loaders.items.column_names import ITEM_FIELDS
from reelrank.loaders.items.summary import check_items
from tests.raised import raises_code

CAST: list[dict[str, object]] = [
    {
        "id": "m1",
        "title": "Deep",
        "credits": {"cast": [{"name": "Ann Lee"}, {"name": "Cy Roe"}], "year": 1999},
    },
    {"id": "m2", "title": "Deeper", "credits": {"cast": [{"name": "Bob Ray"}], "year": 2004}},
    {"id": "m3", "title": "Deepest", "credits": {"cast": [], "year": None}},
]


def read_items(path: Path, *pairs: str) -> list[Item]:
    rules = FieldRules(ITEM_FIELDS, parse_field_pairs(pairs))
    with open_source_files(str(path), None) as (files, _):
        return [item for mapped in read_mapped_rows(files, rules) for item in check_items(mapped).items]


def write_rows(path: Path, rows: list[dict[str, object]]) -> Path:
    if path.suffix == ".parquet":
        table = io.BytesIO()
        pyarrow.parquet.write_table(pa.Table.from_pylist(rows), table)
        path.write_bytes(table.getvalue())
    elif path.suffix == ".csv":
        lines = [",".join(str(value) for value in row.values()) for row in rows]
        path.write_text("\n".join([",".join(rows[0]), *lines, ""]))
    else:
        path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    return path


def read_dates(path: Path, values: list[float]) -> list[str]:
    rows: list[dict[str, object]] = [
        {"id": f"p{n}", "title": "Film", "release_date": value} for n, value in enumerate(values)
    ]
    dates = [item.published_at for item in read_items(write_rows(path, rows))]
    return [f"{date:%Y-%m-%d}" for date in dates if date is not None]


@pytest.mark.parametrize("name", ["films.jsonl", "films.csv", "films.parquet"])
@pytest.mark.parametrize(
    ("values", "dates"),
    [
        (
            [63072000000, -631152000000, 915148800000, 86400000, 0],
            ["1972-01-01", "1950-01-01", "1999-01-01", "1970-01-02", "1970-01-01"],
        ),
        (
            [63072000, -631152000, 915148800, 86400, 1999],
            ["1972-01-01", "1950-01-01", "1999-01-01", "1970-01-02", "1970-01-01"],
        ),
        ([915148800, 946684800, 253402300799], ["1999-01-01", "2000-01-01", "9999-12-31"]),
        ([1999, 19991231, 2004], ["1999-01-01", "1999-12-31", "2004-01-01"]),
    ],
)
def test_the_unit_of_times_is_that_of_the_whole_column(
    tmp_path: Path, name: str, values: list[float], dates: list[str]
) -> None:
    assert read_dates(tmp_path / name, values) == dates


def test_the_unit_of_times_stays_for_the_rest_of_a_file(tmp_path: Path) -> None:
    values = [915148800000.0] * 30_000 + [86400000.0] * 30_000
    path = tmp_path / "films.jsonl"
    dates = read_dates(path, values)
    assert path.stat().st_size > 2 << 20
    assert dates == ["1999-01-01"] * 30_000 + ["1970-01-02"] * 30_000


def read_computed_ids(path: Path, *id_columns: str) -> list[str]:
    with open_source_files(str(path), None) as (files, _):
        rules = FieldRules(ITEM_FIELDS, id_columns=id_columns)
        mapped_rows = list(read_mapped_rows(files, rules))
    return [item.id for mapped in mapped_rows for item in check_items(mapped).items]


def test_computed_ids_depend_only_on_the_values(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"title": "The Old Quay", "year": 1999},
        {"title": "The Old Quay", "year": 2004},
        {"title": "The Old Quay1", "year": 999},
        {"title": "Fog", "year": 2004},
    ]
    ids = read_computed_ids(write_rows(tmp_path / "films.jsonl", rows), "title", "year")
    assert len(set(ids)) == 4
    for name in ("films.csv", "films.parquet"):
        path = write_rows(tmp_path / name, rows[::-1])
        assert read_computed_ids(path, "title", "year") == ids[::-1]


def test_a_row_without_values_for_its_id_is_rejected(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"title": "Fog", "code": ""}, {"title": "Quay", "code": "q1"}]
    assert len(read_computed_ids(write_rows(tmp_path / "films.jsonl", rows), "code")) == 1


def test_missing_ids_and_id_columns_are_refused_with_advice(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "films.jsonl", [{"title": "Fog", "year": 2004}])
    with raises_code(SourceError, "column_not_found", match=r"no column for id .* --id-from"):
        read_items(path)
    with raises_code(SourceError, "column_not_found"):
        read_computed_ids(path, "title", "code")
    with raises_code(SourceError, "invalid_mapping"):
        FieldRules(ITEM_FIELDS, {"id": ("code",)}, id_columns=("title",))


@pytest.mark.parametrize("name", ["films.jsonl", "films.parquet"])
def test_a_path_leads_through_records_and_lists(tmp_path: Path, name: str) -> None:
    path = write_rows(tmp_path / name, CAST)
    items = read_items(path, "people=credits.cast.name", "published_at=credits.year")
    assert [item.people for item in items] == [("Ann Lee", "Cy Roe"), ("Bob Ray",), ()]
    assert [item.published_at for item in items] == [
        datetime(1999, 1, 1, tzinfo=UTC),
        datetime(2004, 1, 1, tzinfo=UTC),
        None,
    ]


@pytest.mark.parametrize("name", ["films.jsonl", "films.parquet"])
@pytest.mark.parametrize(
    "column", ["credits.nosuch", "credits.cast.nosuch", "nosuch", "nosuch.name", "title.name"]
)
def test_a_path_that_does_not_exist_is_refused(tmp_path: Path, name: str, column: str) -> None:
    path = write_rows(tmp_path / name, CAST)
    with raises_code(SourceError, "column_not_found"):
        read_items(path, f"people={column}")


def test_a_path_below_empty_lists_is_not_refused(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "films.jsonl", [CAST[2], {"id": "m4", "title": "Four", "credits": None}])
    assert [item.people for item in read_items(path, "people=credits.cast.name")] == [(), ()]
