"""The result cache: lists come back unchanged, and expire without making anyone wait."""

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reelrank.app.search.result_cache import MAX_EXPIRED_PER_PUT, ResultCache, format_cursor
from reelrank.app.search.result_list import ResultList
from reelrank.index_mappings.errors import CursorExpired
from reelrank.index_mappings.match import Matches, encode_item_ids
from reelrank.index_mappings.query import Filters, Query
from reelrank.ranking.policies.policy import PositionChange
from reelrank.ranking.retrieval.fusion import fuse

CANDIDATES = fuse([Matches("bm25", encode_item_ids(["a", "b"]), np.array([3, 2], np.float32))])


def build_ranked(request_id: str, user: str | None = None) -> ResultList:
    query = Query(text="sea", user=user, filters=Filters(genres=("Sea",)))
    scores = np.array([0.3, 0.2], np.float32)
    return ResultList(
        request_id, query, CANDIDATES, scores, "m", "v", (), "c", changes=(PositionChange(1, 5, 0.25),)
    )


def test_a_cached_list_comes_back_unchanged_with_its_slots(tmp_path: Path) -> None:
    cursors = ResultCache(tmp_path / "lists.sqlite", 60, str.upper)
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
    ResultCache(path, 60, str.upper).put(build_ranked("now"))
    with sqlite3.connect(path) as lists:
        for number in range(10):
            lists.execute(
                "insert into lists select ?, ?, body, '' from lists limit 1", (f"old{number}", number)
            )
    cursors = ResultCache(path, 60, str.upper)
    with pytest.raises(CursorExpired):
        cursors.get(format_cursor("old9", 1))
    cursors.put(build_ranked("next"))
    left = [name for (name,) in sqlite3.connect(path).execute("select id from lists order by made_s")]
    assert left == [*(f"old{number}" for number in range(MAX_EXPIRED_PER_PUT, 10)), "now", "next"]


def test_a_list_names_its_viewer_by_a_key_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "lists.sqlite"
    ranked_by, other = ResultCache(path, 60, str.upper), ResultCache(path, 60, str.upper)
    ranked_by.put(build_ranked("r1", "ada-lovelace"))
    users = [
        cache.get("r1.1", stated)[0].query.user
        for cache, stated in ((ranked_by, ""), (other, "ada-lovelace"), (other, "bob"), (other, ""))
    ]
    assert users == ["ada-lovelace", "ada-lovelace", None, None]
    written = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"ADA-LOVELACE" in written
    assert b"ada-lovelace" not in written


def test_the_lists_of_an_erased_viewer_leave_nothing_in_the_file(tmp_path: Path) -> None:
    cache = ResultCache(tmp_path / "lists.sqlite", 60, str.upper)
    cache.put(build_ranked("r1", "ada-lovelace"))
    cache.put(build_ranked("r2", "bob"))
    assert cache.erase_user("ADA-LOVELACE") == 1
    cache.purge()
    with pytest.raises(CursorExpired):
        cache.get("r1.1", "ada-lovelace")
    assert [kept.request_id for kept in cache.list_of_user("BOB")] == ["r2"]
    assert not any(b"ADA-LOVELACE" in file.read_bytes() for file in tmp_path.iterdir())


def test_all_expired_lists_go_though_no_new_ones_come(tmp_path: Path) -> None:
    cache = ResultCache(tmp_path / "lists.sqlite", 0, str.upper)
    for number in range(5):
        cache.put(build_ranked(f"r{number}"))
    cache.remove_expired()
    rows = sqlite3.connect(tmp_path / "lists.sqlite").execute("select count(*) from lists").fetchone()
    assert rows == (0,)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 10_000), value=st.integers(0, 255))
def test_a_list_damaged_on_the_disk_is_expired(tmp_path: Path, place: int, value: int) -> None:
    path = tmp_path / "lists.sqlite"
    cache = ResultCache(path, 60, str.upper)
    cache.put(build_ranked("r1"))
    with closing(sqlite3.connect(path)) as lists, lists:
        (body,) = lists.execute("select body from lists").fetchone()
        damaged = bytearray(body)
        damaged[place % len(body)] = value
        lists.execute("update lists set body = ?", (bytes(damaged),))
    if damaged == body:
        assert cache.get("r1.1")[0].request_id == "r1"
        return
    with pytest.raises(CursorExpired):
        cache.get("r1.1")
