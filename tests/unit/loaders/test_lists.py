"""Lists in cells: every way to write names gives the same names, decided by the whole column."""

import html
import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reelrank.index_mappings.item import Item
from reelrank.loaders.fields.field_map import FieldRules
from reelrank.loaders.fields.guesses import list_notes
from reelrank.loaders.fields.lists import ListStyle, parse_names
from reelrank.loaders.fields.mapped_rows import read_mapped_rows, survey_columns
from reelrank.loaders.files.source import open_source_files
from reelrank.loaders.items.column_names import ITEM_FIELDS
from reelrank.loaders.items.summary import check_items

WORDS = st.text(st.sampled_from("abcdeXYZ' \N{LATIN SMALL LETTER E WITH ACUTE}."), min_size=1, max_size=8)
NAMED = WORDS.map(lambda word: word.strip(" '")).filter(lambda word: word.strip("."))
NAMES = st.lists(NAMED | NAMED.map(lambda name: f"{name} & x"), min_size=2, max_size=5, unique=True)
COLUMN = st.lists(NAMES, min_size=2, max_size=8)
STYLES: dict[str, Callable[[list[str]], str]] = {
    "JSON": json.dumps,
    "Python": repr,
    "Python tuple": lambda names: repr(tuple(names)),
    "numpy": lambda names: str(np.array(names)),
    "JSON records": lambda names: json.dumps([{"id": n, "name": name} for n, name in enumerate(names)]),
    "Python records": lambda names: repr([{"id": n, "title": name} for n, name in enumerate(names)]),
    "records with labels": lambda names: repr([{"label": name} for name in names]),
    "record of ids": lambda names: json.dumps({f"/m/{n}": name for n, name in enumerate(names)}),
    "Postgres": lambda names: "{" + ",".join(f'"{name}"' if " " in name else name for name in names) + "}",
    "brackets": lambda names: f"[{', '.join(names)}]",
    "bars": "|".join,
    "bars and quotes": lambda names: "|".join(f'"{name}"' if " " in name else name for name in names),
    "semicolons": "; ".join,
    "commas": ", ".join,
    "HTML entities": lambda names: "; ".join(html.escape(name) for name in names),
}


def read_genres(texts: list[str], stated: str | None = None) -> list[tuple[str, ...]]:
    """Reads a column of genres from a file."""
    with TemporaryDirectory() as directory:
        path = Path(directory) / "films.jsonl"
        rows = [{"id": f"f{n}", "title": "Film", "genres": text} for n, text in enumerate(texts)]
        path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
        rules = FieldRules(ITEM_FIELDS, separator=stated)
        with open_source_files(str(path), None) as (files, _):
            items = [i for mapped in read_mapped_rows(files, rules) for i in check_items(mapped).items]
    return [item.genres for item in items]


@pytest.mark.parametrize("style", STYLES)
@settings(max_examples=30, deadline=None)
@given(column=COLUMN)
def test_names_are_read_however_a_column_writes_them(style: str, column: list[list[str]]) -> None:
    expected = [tuple(name for name in names if name.lower() not in ("nan", "none")) for names in column]
    assert read_genres([STYLES[style](names) for names in column]) == expected


@pytest.mark.parametrize(
    ("texts", "names"),
    [
        (["Drama", "Law, Order|Sea", "Law, Order"], [("Drama",), ("Law, Order", "Sea"), ("Law, Order",)]),
        (["Lee, Ann; Ray, Bob", "Lee, Ann"], [("Lee, Ann", "Ray, Bob"), ("Lee, Ann",)]),
        (["[Drama]", "[Drama, Sea]", "[]"], [("Drama",), ("Drama", "Sea"), ()]),
        (["[REC]", "Drama", "Sea"], [("[REC]",), ("Drama",), ("Sea",)]),
        (["Action &amp; Adventure", "Sea"], [("Action & Adventure",), ("Sea",)]),
        (["a|b", *(f"{n}, x" for n in range(30))], [("a|b",), *((str(n), "x") for n in range(30))]),
        (["[none]", "N/A", "null", "\\N", "(no genres listed)", "NaN"], [()] * 6),
    ],
)  # fmt: skip
def test_a_separator_is_decided_for_a_whole_column(texts: list[str], names: list[tuple[str, ...]]) -> None:
    assert read_genres(texts) == names


@pytest.mark.parametrize(
    ("texts", "example"),
    [
        (["Drama / Sea", "Drama"], "Drama / Sea"),
        (["Drama/Sea|War", "War/Sea", "Fog"], "War/Sea"),
        (["Lee, Ann; Ray, Bob", "Poe, Dan", "Roe"], "Poe, Dan"),
        (["Drama", "Sea"], ""),
        (["Drama|Sea", "Drama"], ""),
        (["N/A", "Drama"], ""),
    ],
)
def test_a_list_that_is_read_as_one_name_is_noted(tmp_path: Path, texts: list[str], example: str) -> None:
    path = tmp_path / "films.csv"
    path.write_text("\n".join(["id,title,genres", *(f'f{n},Film,"{text}"' for n, text in enumerate(texts))]))
    with open_source_files(str(path), None) as (files, _):
        notes = list_notes(survey_columns(files, FieldRules(ITEM_FIELDS)).fields)
    assert [example in note for note in notes] == ([True] if example else [])


def test_a_record_without_a_name_is_not_swallowed() -> None:
    with pytest.raises(ValueError, match="without a name, title or label"):
        parse_names([{"genre": "x", "weight": 1.5}])
    assert parse_names([{"tag": "x"}, {"id": 18}]) == ("x", "18")


@pytest.mark.parametrize(
    "text",
    ["[{'id': 1, 'name': 'Dra", "[{id: 1, name: 'x'}]", "['a', 'b", '["a", "b"', "[" * 5000 + "]" * 5000],
)
def test_a_literal_that_is_cut_or_broken_is_no_name(text: str) -> None:
    with pytest.raises(ValueError, match="begins as a list"):
        parse_names(text)


def test_separators_inside_quotes_and_entities_do_not_split() -> None:
    assert parse_names('"a|b"|c', ListStyle("|")) == ("a|b", "c")
    assert parse_names('"Weird Al" Yankovic|Bob', ListStyle("|")) == ('"Weird Al" Yankovic', "Bob")
    assert parse_names("Rock &#44; Roll, Jazz", ListStyle(",")) == ("Rock , Roll", "Jazz")


def test_the_code_of_namibia_is_a_country(tmp_path: Path) -> None:
    path = tmp_path / "films.csv"
    path.write_text("id,title,country,genres\nf1,One,NA,NA\nf2,Two,N/A,Drama\n")
    with open_source_files(str(path), None) as (files, _):
        items = [
            i
            for mapped in read_mapped_rows(files, FieldRules(ITEM_FIELDS))
            for i in check_items(mapped).items
        ]
    assert items == [Item("f1", "One", countries=("NA",)), Item("f2", "Two", genres=("Drama",))]
