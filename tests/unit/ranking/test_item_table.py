"""The item table: rows by id, filters over rows, vectors, and refusal of what does not fit."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from reelrank.index_mappings.item import Document, Item
from reelrank.index_mappings.match import item_ids
from reelrank.index_mappings.query import Filters
from reelrank.ranking.items.table import ItemTable, TableError, build_table, open_table

ALIEN = Item(
    "alien", "Alien", genres=("Horror", "Sci-Fi"), people=("Sigourney Weaver",), language="English",
    country="UK", published_at=datetime(1979, 5, 25, tzinfo=UTC), duration_s=7020,
)  # fmt: skip
AMELIE = Item(
    "amelie", "Amélie", genres=("Romance",), language="French", country="France",
    published_at=datetime(2001, 4, 25, tzinfo=UTC), duration_s=7320,
)  # fmt: skip
BARE = Item("bare", "Nothing stated")


@pytest.fixture
def table(tmp_path: Path) -> ItemTable:
    vector = np.zeros(256, np.float32)
    vector[3] = 1
    documents = [Document(AMELIE), Document(BARE), Document(ALIEN, {"text": vector})]
    return build_table(tmp_path / "t", "items-1", [documents], None)


def test_rows_are_found_by_id_and_unknown_ids_are_minus_one(table: ItemTable) -> None:
    assert table.find_rows(item_ids(["bare", "nobody", "alien", "zzz"])).tolist() == [2, -1, 0, -1]


@pytest.mark.parametrize(
    ("filters", "passing"),
    [
        (Filters(), [True, True, True, False]),
        (Filters(genres=("sci-fi", "romance")), [True, True, False, False]),
        (Filters(genres=("Western",)), [False, False, False, False]),
        (Filters(languages=("french",)), [False, True, False, False]),
        (Filters(year_max=1980), [True, False, False, False]),
        (Filters(year_min=1979, duration_min_s=7100), [False, True, False, False]),
    ],
)
def test_a_filter_keeps_only_items_that_state_what_it_asks(
    table: ItemTable, filters: Filters, passing: list[bool]
) -> None:
    assert table.passes(filters, np.array([0, 1, 2, -1])).tolist() == passing


def test_vectors_are_rows_of_zeros_where_an_item_has_none(table: ItemTable) -> None:
    assert table.has_vector("text").tolist() == [True, False, False]
    assert table.vectors["factors"].shape == (3, 64)


def test_batches_in_any_order_make_the_same_table(tmp_path: Path) -> None:
    every = [Document(each) for each in (ALIEN, AMELIE, BARE)]
    at_once = build_table(tmp_path / "a", "items-1", [every], None)
    by_one = build_table(tmp_path / "b", "items-1", [[each] for each in reversed(every)], None)
    assert at_once.genres == by_one.genres
    for name in ("ids", "genre_bits", "year", "language", "country", "people_offsets", "people_hashes"):
        assert getattr(at_once, name).tolist() == getattr(by_one, name).tolist()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_a_table_that_cannot_be_built_leaves_nothing_and_the_old_one(tmp_path: Path) -> None:
    build_table(tmp_path / "a", "items-1", [[Document(ALIEN)]], None)
    wrong = Document(BARE, {"text": np.zeros(3, np.float32)})
    with pytest.raises(ValueError, match="broadcast"):
        build_table(tmp_path / "a", "items-2", [[wrong]], None)
    assert open_table(tmp_path / "a").version == "items-1"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_an_empty_catalogue_makes_a_table_that_answers(tmp_path: Path) -> None:
    empty = build_table(tmp_path / "t", "items-0", [], None)
    assert empty.find_rows(item_ids(["alien"])).tolist() == [-1]
    assert empty.passes(Filters(year_min=1), np.array([-1])).tolist() == [False]


def test_a_table_whose_facts_and_columns_disagree_is_refused(table: ItemTable, tmp_path: Path) -> None:
    np.save(tmp_path / "t" / "ids.npy", item_ids(["alien"]))
    with pytest.raises(TableError, match="holds 1 items, its facts say 3"):
        open_table(tmp_path / "t")


def test_a_missing_table_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="reelrank train"):
        open_table(tmp_path / "none")
