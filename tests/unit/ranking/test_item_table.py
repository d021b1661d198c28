"""The item table: rows by id, filters over rows, vectors, and refusal of what does not fit."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from index_mappings.event import EVENT_SCHEMA
from index_mappings.item import Document, Item
from index_mappings.match import item_ids
from index_mappings.query import Filters
from ranking.item_table import ItemTable, TableError, build_table, open_table
from ranking.popularity import DAY_MS, Popularity, popularity_from

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
    assert table.rows(item_ids(["bare", "nobody", "alien", "zzz"])).tolist() == [2, -1, 0, -1]


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


def test_an_empty_catalogue_makes_a_table_that_answers(tmp_path: Path) -> None:
    empty = build_table(tmp_path / "t", "items-0", [], None)
    assert empty.rows(item_ids(["alien"])).tolist() == [-1]
    assert empty.passes(Filters(year_min=1), np.array([-1])).tolist() == [False]


def test_a_table_whose_facts_and_columns_disagree_is_refused(table: ItemTable, tmp_path: Path) -> None:
    np.save(tmp_path / "t" / "ids.npy", item_ids(["alien"]))
    with pytest.raises(TableError, match="holds 1 items, its facts say 3"):
        open_table(tmp_path / "t")


def test_a_missing_table_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="reelrank train"):
        open_table(tmp_path / "none")


def test_shares_do_not_change_while_nothing_happens_and_recent_watches_weigh_more() -> None:
    popularity = Popularity(2)
    popularity.add("watch", np.array([0]), np.array([DAY_MS]), np.ones(1, np.float32))
    popularity.add("watch", np.array([1]), np.array([2 * DAY_MS]), np.ones(1, np.float32))
    assert popularity.shares(np.array([0, 1]))[:, 0].tolist() == pytest.approx([1 / 3, 2 / 3])
    assert popularity.shares(np.array([-1])).tolist() == [[0, 0, 0, 0]]


def test_a_late_event_counts_as_if_it_had_come_in_time() -> None:
    early, late = Popularity(2), Popularity(2)
    times = np.array([DAY_MS, 3 * DAY_MS])
    early.add("watch", np.array([0, 1]), times, np.ones(2, np.float32))
    for row in (1, 0):
        late.add("watch", np.array([row]), times[[row]], np.ones(1, np.float32))
    rows = np.array([0, 1])
    np.testing.assert_allclose(early.shares(rows), late.shares(rows), rtol=1e-6)


def test_watches_count_by_their_share_and_unknown_items_are_passed_over(table: ItemTable) -> None:
    facts = {"kind": ["watch"] * 3, "item": ["alien", "amelie", "gone"], "watched_ms": [50, None, 9]}
    columns = {**facts, "duration_ms": [100, None, 9], "at_ms": [DAY_MS] * 3}
    schema = pa.schema([EVENT_SCHEMA.field(name) for name in columns])
    batch = pa.RecordBatch.from_pydict(columns, schema=schema)
    popularity = popularity_from(table, [batch])
    assert popularity.shares(np.array([0, 1]))[:, 2].tolist() == pytest.approx([1 / 3, 2 / 3])
    rows, shares = popularity.top(2, 1, np.ones(3, bool))
    assert (rows.tolist(), shares.tolist()) == ([1], pytest.approx([2 / 3]))
