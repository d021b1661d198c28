"""The schemas of the lake, and keys of viewers."""

import string

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelrank.index_mappings.decision import (
    CANDIDATE_SCHEMA,
    COLUMNS_BY_TABLE,
    KEY_BY_TABLE,
    LAKE_EVENT_SCHEMA,
    SORT_BY_TABLE,
    TABLES,
    build_candidate_schema,
    hash_user,
    name_signal_column,
)
from reelrank.index_mappings.event import EVENT_SCHEMA

SECRET = b"s" * 32


def test_events_of_the_lake_have_a_user_key_and_no_user() -> None:
    assert "user" not in LAKE_EVENT_SCHEMA.names
    assert [name for name in LAKE_EVENT_SCHEMA.names if name not in EVENT_SCHEMA.names] == ["user_key"]


@pytest.mark.parametrize("table", TABLES)
def test_keys_and_order_of_a_table_are_columns_of_it(table: str) -> None:
    names = {column.name for column in COLUMNS_BY_TABLE[table]}
    assert names.issuperset(KEY_BY_TABLE[table])
    assert names.issuperset(SORT_BY_TABLE[table])
    assert "user" not in names


def test_ranks_are_stored_once_and_signals_have_a_prefix() -> None:
    schema = build_candidate_schema(("bm25",), ("rank_bm25", "year"))
    assert schema.names == [*CANDIDATE_SCHEMA.names, "rank_bm25", "signal_year"]
    assert schema.field("rank_bm25").type == pa.int32()
    assert name_signal_column("year") == "signal_year"


@given(st.text(min_size=1), st.text(min_size=1))
def test_a_key_names_one_viewer_and_hides_the_id(one: str, other: str) -> None:
    key = hash_user(one, SECRET)
    assert len(key) == 24
    assert set(key) <= set(string.ascii_lowercase + "234567")
    assert (key == hash_user(other, SECRET)) == (one == other)
    assert key != hash_user(one, b"t" * 32)


def test_a_viewer_without_an_id_has_an_empty_key() -> None:
    assert hash_user("", SECRET) == ""
