"""Values of items: missing words, ids of any form, long titles, titles with years, left-out columns."""

import io
import json
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from reelrank.app.cli.main import app
from reelrank.index_mappings.item import ID_PATTERN, Item, make_item_id
from reelrank.loaders.fields.field_map import FieldRules, parse_field_pairs
from reelrank.loaders.fields.mapped_rows import read_mapped_rows
from reelrank.loaders.files.source import open_source_files
from reelrank.loaders.items.column_names import ITEM_FIELDS
from reelrank.loaders.items.item_rows import CheckedItems
from reelrank.loaders.items.summary import check_items
from reelrank.loaders.items.titles import split_year

OPTIONAL = [field.name for field in ITEM_FIELDS if not field.required]


def check(path: Path, rules: FieldRules | None = None) -> CheckedItems:
    """Checks the one piece of a small file."""
    with open_source_files(str(path), None) as (files, _):
        (mapped,) = read_mapped_rows(files, rules or FieldRules(ITEM_FIELDS, duration_unit="min"))
    return check_items(mapped)


@pytest.mark.parametrize("word", ["null", "N/A", "\\N", "None", "NaN", "", " n/a "])
@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_words_for_missing_are_missing_in_every_optional_field(
    tmp_path: Path, word: str, suffix: str
) -> None:
    row = {"id": "f1", "title": "None", **dict.fromkeys(OPTIONAL, word)}
    path = tmp_path / f"films.{suffix}"
    if suffix == "csv":
        path.write_text(f"{','.join(row)}\n{','.join(row.values())}\n")
    elif suffix == "jsonl":
        path.write_bytes(orjson.dumps(row))
    else:
        written = io.BytesIO()
        pyarrow.parquet.write_table(pa.Table.from_pylist([row]), written)
        path.write_bytes(written.getvalue())
    checked = check(path)
    assert checked.items == [Item("f1", "None")]
    assert all(checked.values[name].missing == 1 for name in OPTIONAL)


def test_control_characters_of_a_title_are_not_stored(tmp_path: Path) -> None:
    path = tmp_path / "films.jsonl"
    titles = ["He\x00at", "\ufeffHeat", "Heat\n(1995)\x00", "\x00"]
    path.write_bytes(
        b"".join(orjson.dumps({"id": f"f{n}", "title": t}) + b"\n" for n, t in enumerate(titles))
    )
    checked = check(path)
    assert [item.title for item in checked.items] == ["Heat", "Heat", "Heat (1995)"]
    assert [reject.row for reject in checked.rejects] == [4]
    assert checked.values["title"].samples == ("Heat", "Heat (1995)")


@settings(max_examples=100, deadline=None)
@given(text=st.text(min_size=1, max_size=100))
def test_an_id_of_any_form_gives_a_valid_one_and_valid_ones_stay(text: str) -> None:
    item_id = make_item_id(text)
    assert ID_PATTERN.fullmatch(item_id)
    assert make_item_id(item_id) == item_id
    assert (item_id == text) == (ID_PATTERN.fullmatch(text) is not None)


def test_an_item_keeps_the_id_that_was_hashed(tmp_path: Path) -> None:
    url = "https://films.example/" + "a" * 80
    (tmp_path / "films.csv").write_text(f"id,title\nf1,One\n{url},Two\ntwo words,Three\n,Four\n")
    checked = check(tmp_path / "films.csv")
    assert [(item.id, item.source_id) for item in checked.items] == [
        ("f1", ""), (make_item_id(url), url), (make_item_id("two words"), "two words"),
    ]  # fmt: skip
    assert [reject.reason for reject in checked.rejects] == ["id is missing; every item needs an id"]


def test_a_title_may_be_as_long_as_over_http(tmp_path: Path) -> None:
    (tmp_path / "films.csv").write_text(f"id,title\nf1,{'a' * 300}\nf2,{'a' * 301}\n")
    checked = check(tmp_path / "films.csv")
    assert [item.id for item in checked.items] == ["f1"]
    assert checked.rejects[0].reason == "title has 301 characters; 300 are allowed"


@pytest.mark.parametrize(
    ("title", "name", "year"),
    [
        ("Toy Story (1995)", "Toy Story", 1995),
        ("Matrix, The (1999)", "The Matrix", 1999),
        ("Argent, L' (1983)", "L'Argent", 1983),
        ("Good, the Bad and the Ugly, The (Buono, il brutto, il cattivo, Il) (1966)",
         "The Good, the Bad and the Ugly (Il Buono, il brutto, il cattivo)", 1966),
        ("2001 (1968)  ", "2001", 1968),
        ("Babylon 5 (1994-1998)", "Babylon 5", 1994),
        ("Babylon 5", "Babylon 5", None),
        ("(1999)", "(1999)", None),
        ("Blade Runner (Director's Cut)", "Blade Runner (Director's Cut)", None),
    ],
)  # fmt: skip
def test_a_year_is_taken_off_a_title(title: str, name: str, year: int | None) -> None:
    assert split_year(title) == (name, None if year is None else datetime(year, 1, 1, tzinfo=UTC))


def test_titles_keep_their_year_unless_most_have_one(tmp_path: Path) -> None:
    path = tmp_path / "films.csv"
    path.write_text("id,title,year\nf1,Toy Story (1995),2001\nf2,Fog (1980),\n")
    assert [(i.title, i.year) for i in check(path).items] == [("Toy Story", 2001), ("Fog", 1980)]
    kept = FieldRules(ITEM_FIELDS, title_year=False)
    assert [(i.title, i.year) for i in check(path, kept).items] == [
        ("Toy Story (1995)", 2001),
        ("Fog (1980)", None),
    ]
    left_out = FieldRules(ITEM_FIELDS, parse_field_pairs(["published_at="]))
    assert [(i.title, i.year) for i in check(path, left_out).items] == [("Toy Story", None), ("Fog", None)]
    path.write_text("id,title\nf1,Toy Story (1995)\nf2,Fog\n")
    assert [item.title for item in check(path).items] == ["Toy Story (1995)", "Fog"]


def test_a_field_may_be_left_out_and_strict_rules_reject_rows(tmp_path: Path) -> None:
    path = tmp_path / "films.csv"
    path.write_text("id,title,genre,duration\nf1,One,Drama,90 min\nf2,Two,Sea,2 Seasons\n")
    left_out = check(path, FieldRules(ITEM_FIELDS, parse_field_pairs(["genres="])))
    assert [item.genres for item in left_out.items] == [(), ()]
    assert left_out.values["duration_s"].ignored == 1
    strict = check(path, FieldRules(ITEM_FIELDS, is_strict=True))
    assert [item.id for item in strict.items] == ["f1"]
    assert strict.rejects[0].reason.startswith("duration_s: '2 Seasons'")
    assert strict.values["duration_s"].ignored == 0


def test_a_dry_run_prints_three_stored_values_of_each_field(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELRANK_DATA_DIR", str(tmp_path / "data"))
    path = tmp_path / "films.csv"
    rows = [f'f{n},Film {n},"Drama, Sea {n}",{n if n else "Unknown"} min' for n in range(9)]
    path.write_text("\n".join(["id,title,genre,runtime", *rows]))
    printed = CliRunner().invoke(app, ["load", "items", str(path), "--dry-run"]).output
    assert all(value in printed for value in ("Film 2", "Drama | Sea 2", "60", "180", "split at ,"))
    assert not any(value in printed for value in ("Film 3", "Sea 3", "240"))
    assert max(map(len, printed.split("9 read")[0].splitlines())) <= 80
    report = CliRunner().invoke(app, ["load", "items", str(path), "--dry-run", "--json"]).stdout
    duration = json.loads(report)["fields"]["duration_s"]
    assert duration["columns"] == ["runtime"]
    assert (duration["values"]["samples"], duration["values"]["ignored"]) == ([60, 120, 180], 1)
