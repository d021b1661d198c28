"""The result cache: lists come back unchanged, and expire without making anyone wait."""

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from reelrank.app.search.result_cache import MAX_EXPIRED_PER_PUT, ResultCache, format_cursor
from reelrank.app.search.result_list import ResultList
from reelrank.index_mappings.errors import CursorExpired
from reelrank.index_mappings.match import Matches, encode_item_ids
from reelrank.index_mappings.query import Filters, Query
from reelrank.ranking.policies.policy import PositionChange
from reelrank.ranking.retrieval.fusion import fuse

CANDIDATES = fuse([Matches("bm25", encode_item_ids(["a", "b"]), np.array([3, 2], np.float32))])


def build_ranked(request_id: str) -> ResultList:
    query, scores = Query(text="sea", filters=Filters(genres=("Sea",))), np.array([0.3, 0.2], np.float32)
    return ResultList(
        request_id, query, CANDIDATES, scores, "m", "v", (), "c", changes=(PositionChange(1, 5, 0.25),)
    )


def test_a_cached_list_comes_back_unchanged_with_its_slots(tmp_path: Path) -> None:
    cursors = ResultCache(tmp_path / "lists.sqlite", 60)
    cursors.put(build_ranked("r1"))
    found, start = cursors.get(format_cursor("r1", 1))
    assert (start, found.query, found.changes) == (
        1,
        build_ranked("r1").query,
        (PositionChange(1, 5, 0.25),),
    )
    assert found.candidates.ids.tolist() == CANDIDATES.ids.tolist()


def test_expired_lists_are_not_found_and_deleted_a_few_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "lists.sqlite"
    ResultCache(path, 60).put(build_ranked("now"))
    with sqlite3.connect(path) as lists:
        for number in range(10):
            lists.execute("insert into lists select ?, ?, body from lists limit 1", (f"old{number}", number))
    cursors = ResultCache(path, 60)
    with pytest.raises(CursorExpired):
        cursors.get(format_cursor("old9", 1))
    cursors.put(build_ranked("next"))
    left = [name for (name,) in sqlite3.connect(path).execute("select id from lists order by made_s")]
    assert left == [*(f"old{number}" for number in range(MAX_EXPIRED_PER_PUT, 10)), "now", "next"]
