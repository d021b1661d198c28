"""Ranked lists that are kept: found again as they were, and gone after a while without anybody waiting."""

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from app.search.cursors import SWEPT_AT_ONCE, Cursors, cursor_at
from app.search.ranked import Ranked
from index_mappings.errors import NotFound
from index_mappings.match import Matches, item_ids
from index_mappings.query import Filters, Query
from ranking.exploration import Draw
from ranking.fusion import fuse

CANDIDATES = fuse([Matches("bm25", item_ids(["a", "b"]), np.array([3, 2], np.float32))])


def ranked(name: str) -> Ranked:
    query, scores = Query(text="sea", filters=Filters(genres=("Sea",))), np.array([0.3, 0.2], np.float32)
    return Ranked(name, query, CANDIDATES, scores, "m", "v", (), draws=(Draw(1, 5, 0.25),))


def test_a_list_is_found_as_it_was_with_what_was_drawn(tmp_path: Path) -> None:
    cursors = Cursors(tmp_path / "lists.sqlite", 60)
    cursors.keep(ranked("r1"))
    found, start = cursors.find(cursor_at("r1", 1))
    assert (start, found.query, found.draws) == (1, ranked("r1").query, (Draw(1, 5, 0.25),))
    assert found.candidates.ids.tolist() == CANDIDATES.ids.tolist()


def test_old_lists_are_not_found_and_go_a_few_with_each_new_one(tmp_path: Path) -> None:
    path = tmp_path / "lists.sqlite"
    Cursors(path, 60).keep(ranked("now"))
    with sqlite3.connect(path) as lists:
        for number in range(10):
            lists.execute("insert into lists select ?, ?, body from lists limit 1", (f"old{number}", number))
    cursors = Cursors(path, 60)
    with pytest.raises(NotFound, match="ask for the first page again"):
        cursors.find(cursor_at("old9", 1))
    cursors.keep(ranked("next"))
    left = [name for (name,) in sqlite3.connect(path).execute("select id from lists order by made_s")]
    assert left == [*(f"old{number}" for number in range(SWEPT_AT_ONCE, 10)), "now", "next"]
