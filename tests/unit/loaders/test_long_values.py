"""Values that make a backtracking pattern slow are read in no time: the worst took longer than a life."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path

import orjson
import pytest

from reelrank.app.engines.embedded.text.analysis import ASCII_WORD
from reelrank.loaders.fields.field_map import FieldRules
from reelrank.loaders.files.source import open_source_files
from reelrank.loaders.items.catalogue import LoadOptions
from reelrank.loaders.items.column_names import ITEM_FIELDS
from reelrank.loaders.items.item_files import check_item_files
from reelrank.loaders.items.item_writer import ItemLoad

SIZE = 20_000
LONG: Mapping[str, str] = {
    "spaces": f"x{' ' * SIZE}x",
    "tabs": "\t" * SIZE,
    "underscores": "_" * SIZE,
    "digits": "1" * SIZE,
    "minutes": "1 min " * SIZE,
    "clock": f"1{' ' * SIZE}:00 AM",
    "articles": "a, The " * SIZE,
    "brackets": "(" * SIZE,
    "strings": "['a'" + "  'a'" * 40 + " x]",
    "strings and commas": "['a'" + " , 'a'" * 40 + " x]",
}  # fmt: skip
OPTIONS = LoadOptions(created_at=datetime(2026, 11, 24, tzinfo=UTC), max_reject_share=1.0)


def count_rows(path: Path) -> int:
    rules = FieldRules(ITEM_FIELDS, duration_unit="min", latest_date=date(2027, 12, 31), title_year=True)
    with open_source_files(str(path), None) as (files, _):
        return check_item_files(ItemLoad(files, rules, path.with_suffix(".rejects"), OPTIONS)).read


@pytest.mark.parametrize("column", ["title", "genres", "release_date", "runtime", "country"])
def test_long_values_are_read(column: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    rows = [{"id": str(n), "title": "x", column: value} for n, value in enumerate(LONG.values())]
    rows += [{"id": f"good{n}", "title": "x"} for n in range(20)]
    path.write_bytes(b"\n".join(map(orjson.dumps, rows)))
    assert count_rows(path) == len(rows)


@pytest.mark.parametrize("comment", ["// ", "/* */ ", "//a\n"])
def test_a_document_with_many_comments_is_read(comment: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_text(f'[{{"id": 1, "title": "x",{comment * 40}\n"genres": []}}, {comment * 40}\n]')
    assert count_rows(path) == 1


def test_words_are_found_behind_many_underscores() -> None:
    assert ASCII_WORD.findall("_" * SIZE + " a_b __c") == ["a_b", "__c"]
