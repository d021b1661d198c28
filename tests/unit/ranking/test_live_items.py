"""Items appended to a table are found and described as in a table that was built with them."""

from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from reelrank.index_mappings.fields import VECTOR_FIELDS
from reelrank.index_mappings.item import Document, Item
from reelrank.index_mappings.match import encode_item_ids
from reelrank.index_mappings.query import Filters
from reelrank.ranking.items.live_items import StackedRows, append_items
from reelrank.ranking.items.names.typed_query import read_query
from reelrank.ranking.items.table import ItemTable, Rows, build_table
from reelrank.ranking.retrieval.recency import find_newest

TITLES = ("Alien", "Heat", "The Thing", "Amélie", "Stalker", "Ran", "M", "Zodiac")


def build_document(number: int, title: str) -> Document:
    rng = np.random.default_rng(number)
    size = VECTOR_FIELDS["text"].size
    text = rng.normal(size=size).astype(np.float32)
    item = Item(
        f"{title[0].lower()}{number:03}",
        f"{title} {number}",
        genres=(("Drama", "Horror", "Space", "Noir")[number % 4], "Film"),
        people=(f"Person {number % 7}", f"Actor {number}"),
        tags=(f"tag{number % 3}",),
        languages=(("English", "French", "Korean")[number % 3],),
        countries=(("Norway", "Peru", "Chad", "Oman")[number % 4], "Cuba"),
        published_at=datetime(1950 + number, 1, 1, tzinfo=UTC),
        duration_s=3600 + number,
    )
    return Document(item, {"text": text / np.linalg.norm(text)})


DOCUMENTS = [build_document(n, TITLES[n % len(TITLES)]) for n in range(60)]
NEW = [build_document(60, "Parasite"), build_document(61, "Ran"), build_document(2, "Zama")]


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> tuple[ItemTable, ItemTable]:
    """Returns a table with appended items, in two steps, and one that was built with them."""
    directory = tmp_path_factory.mktemp("tables")
    base = build_table(directory / "base", "items-1", [DOCUMENTS], None)
    whole = build_table(directory / "whole", "items-1", [[*DOCUMENTS, *NEW]], None)
    return append_items(append_items(base, NEW[:1]), NEW[1:]), whole


def to_ids(table: ItemTable, rows: Rows) -> list[bytes]:
    ids: list[bytes] = table.ids[rows].tolist()
    return ids


def test_rows_of_before_stay(tables: tuple[ItemTable, ItemTable], tmp_path: Path) -> None:
    joined, whole = tables
    base = build_table(tmp_path / "t", "items-1", [DOCUMENTS], None)
    assert len(joined) == len(whole)
    assert joined.ids[: len(base)].tolist() == base.ids.tolist()
    assert joined.find_rows(base.ids).tolist() == list(range(len(base)))


@pytest.mark.parametrize("column", ["year", "duration_s", "published_day", "title_words"])
def test_columns_are_those_of_a_whole_table(tables: tuple[ItemTable, ItemTable], column: str) -> None:
    joined, whole = tables
    rows = joined.find_rows(whole.ids)
    if column == "title_words":
        mine, theirs = (
            table.title_words.compare(each, "zama 2", "zama 2")
            for table, each in ((joined, rows), (whole, np.arange(len(whole))))
        )
        np.testing.assert_allclose(mine.edits, theirs.edits)
        np.testing.assert_allclose(mine.words, theirs.words)
        return
    assert getattr(joined, column)[rows].tolist() == getattr(whole, column).tolist()


@pytest.mark.parametrize(
    "filters",
    [
        Filters(genres=("Horror",)), Filters(languages=("Korean",)), Filters(countries=("chad",)),
        Filters(people=("actor 61",)), Filters(tags=("tag1",)), Filters(year_min=2009),
    ],
    ids=str,
)  # fmt: skip
def test_filters_pass_the_same_items(tables: tuple[ItemTable, ItemTable], filters: Filters) -> None:
    passing = []
    for table in tables:
        rows = np.arange(len(table))
        passing.append(set(to_ids(table, rows[table.passes(filters, rows)])))
    assert passing[0] == passing[1]


@pytest.mark.parametrize(
    "text", ["parasite 60", "PARASITE 60", "parasi", "Actor 61", "61", "actor", "zama 2", "alien 0", "ran"]
)
def test_a_typed_text_names_the_same_items(tables: tuple[ItemTable, ItemTable], text: str) -> None:
    found = []
    for table in tables:
        typed = read_query(table.titles, text, table.year, 50)
        named = typed.people.namesakes
        people = typed.people.choose(np.zeros(len(named)), table.year)
        rows = (typed.titles, typed.beginnings, *people, named.rows[named.places > 0])
        found.append([sorted(to_ids(table, each)) for each in rows])
    assert found[0] == found[1]


def test_the_newest_items_are_the_same(tables: tuple[ItemTable, ItemTable]) -> None:
    newest = [to_ids(table, find_newest(table, 10, lambda rows: rows >= 0)) for table in tables]
    assert newest[0] == newest[1]


def test_titles_keep_their_order(tables: tuple[ItemTable, ItemTable]) -> None:
    orders = [to_ids(table, table.titles.text_rows.astype(np.intp)) for table in tables]
    assert orders[0] == orders[1]


def test_vectors_are_gathered_from_both_parts(tables: tuple[ItemTable, ItemTable]) -> None:
    joined, whole = tables
    rows = joined.find_rows(whole.ids)
    np.testing.assert_array_equal(joined.vectors["text"][rows], whole.vectors["text"])
    np.testing.assert_array_equal(joined.vectors["text"][np.array([-1])], joined.vectors["text"][-1:])
    assert joined.has_vector("text")[rows].tolist() == whole.has_vector("text").tolist()


def test_new_genres_and_countries_get_codes(tmp_path: Path) -> None:
    base = build_table(tmp_path / "t", "items-1", [DOCUMENTS[:1]], None)
    joined = append_items(base, [build_document(61, "Ran")])
    assert joined.genres[: len(base.genres)] == base.genres
    row = joined.find_rows(encode_item_ids(["r061"]))
    named = {
        name
        for bit, name in enumerate(joined.genres)
        if joined.genre_bits[row[0]] >> np.uint64(bit) & np.uint64(1)
    }
    assert named == {"Horror", "Film"}
    assert joined.countries[joined.country[row[0]]] == "Peru"


def test_every_column_of_a_table_is_appended(tables: tuple[ItemTable, ItemTable]) -> None:
    """A column that is added to the table must be added to `append_items` too."""
    joined, whole = tables
    for field in fields(ItemTable):
        mine, theirs = getattr(joined, field.name), getattr(whole, field.name)
        if isinstance(theirs, np.ndarray):
            assert mine.shape == theirs.shape, field.name
            assert mine.dtype == theirs.dtype, field.name


def test_stacked_rows_act_like_one_matrix() -> None:
    base, tail = np.arange(12, dtype=np.float32).reshape(4, 3), np.ones((2, 3), np.float32)
    stacked, whole = StackedRows(base, tail), np.concatenate([base, tail])
    for rows in (np.array([5, 0, -1, 3]), slice(2, 6), np.array([], np.intp)):
        np.testing.assert_array_equal(stacked[rows], whole[rows])
    assert stacked.shape == whole.shape
    assert stacked.any(axis=1).tolist() == whole.any(axis=1).tolist()
