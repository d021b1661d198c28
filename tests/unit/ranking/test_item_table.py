"""The item table: rows by id, filters, vectors, and refusal of damaged tables."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from reelrank.index_mappings.item import Document, Item
from reelrank.index_mappings.match import encode_item_ids
from reelrank.index_mappings.query import Filters
from reelrank.ranking.items.table import ItemTable, TableError, build_table, open_table
from tests.raised import raises_code

ALIEN = Item(
    "alien", "Alien", genres=("Horror", "Sci-Fi"), people=("Sigourney Weaver",),
    languages=("English", "Latin"), countries=("UK", "USA"),
    published_at=datetime(1979, 5, 25, tzinfo=UTC), duration_s=7020,
)  # fmt: skip
AMELIE = Item(
    "amelie", "Amélie", genres=("Romance",), languages=("French",), countries=("France",),
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
    assert table.find_rows(encode_item_ids(["bare", "missing", "alien", "zzz"])).tolist() == [2, -1, 0, -1]


@pytest.mark.parametrize(
    ("filters", "passing"),
    [
        (Filters(), [True, True, True, False]),
        (Filters(genres=("sci-fi", "romance")), [True, True, False, False]),
        (Filters(genres=("Western",)), [False, False, False, False]),
        (Filters(languages=("french",)), [False, True, False, False]),
        (Filters(languages=("latin", "French")), [True, True, False, False]),
        (Filters(countries=("usa",)), [True, False, False, False]),
        (Filters(year_max=1980), [True, False, False, False]),
        (Filters(year_min=1979, duration_min_s=7100), [False, True, False, False]),
    ],
)
def test_a_filter_passes_only_items_with_known_matching_values(
    table: ItemTable, filters: Filters, passing: list[bool]
) -> None:
    assert table.passes(filters, np.array([0, 1, 2, -1])).tolist() == passing


def test_missing_vectors_are_zeros(table: ItemTable) -> None:
    assert table.has_vector("text").tolist() == [True, False, False]
    assert table.vectors["factors"].shape == (3, 64)


def test_batches_in_any_order_build_the_same_table(tmp_path: Path) -> None:
    documents = [Document(item) for item in (ALIEN, AMELIE, BARE)]
    one_batch = build_table(tmp_path / "a", "items-1", [documents], None)
    batches = build_table(tmp_path / "b", "items-1", [[document] for document in reversed(documents)], None)
    assert one_batch.genres == batches.genres
    for name in ("ids", "genre_bits", "year", "language", "country", "people_offsets", "people_hashes"):
        assert getattr(one_batch, name).tolist() == getattr(batches, name).tolist()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_a_failed_build_leaves_the_old_table(tmp_path: Path) -> None:
    build_table(tmp_path / "a", "items-1", [[Document(ALIEN)]], None)
    wrong = Document(BARE, {"text": np.zeros(3, np.float32)})
    with pytest.raises(ValueError, match="broadcast"):
        build_table(tmp_path / "a", "items-2", [[wrong]], None)
    assert open_table(tmp_path / "a").version == "items-1"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_table_of_an_empty_catalogue_can_be_queried(tmp_path: Path) -> None:
    empty = build_table(tmp_path / "t", "items-0", [], None)
    assert empty.find_rows(encode_item_ids(["alien"])).tolist() == [-1]
    assert empty.passes(Filters(year_min=1), np.array([-1])).tolist() == [False]


def test_a_table_with_a_wrong_number_of_rows_is_refused(table: ItemTable, tmp_path: Path) -> None:
    np.save(tmp_path / "t" / "ids.npy", encode_item_ids(["alien"]))
    with raises_code(TableError, "item_table_unusable"):
        open_table(tmp_path / "t")


def test_a_missing_table_is_refused_with_advice(tmp_path: Path) -> None:
    with raises_code(TableError, "item_table_unusable"):
        open_table(tmp_path / "none")
