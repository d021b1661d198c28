"""The signals of a candidate do not depend on the candidates beside it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from reelrank.index_mappings.encoder import WordLlamaEncoder
from reelrank.index_mappings.event import Event
from reelrank.index_mappings.fields import VECTOR_FIELDS
from reelrank.index_mappings.item import Document, Item
from reelrank.index_mappings.match import Matches, encode_item_ids
from reelrank.index_mappings.query import Context, Query
from reelrank.ranking.column import Column
from reelrank.ranking.items.popularity.counters import Popularity
from reelrank.ranking.items.table import ItemTable, build_table
from reelrank.ranking.retrieval.candidates import LocatedCandidates, locate
from reelrank.ranking.retrieval.fusion import fuse
from reelrank.ranking.signals.observe import observe
from reelrank.ranking.viewers.history import build_viewer
from reelrank.ranking.viewers.query_vectors import build_request
from reelrank.ranking.viewers.request import RankingRequest

ITEMS = 1300
NOW = datetime(2026, 7, 4, 20, 30, tzinfo=UTC)
NOW_MS = round(NOW.timestamp() * 1000)


def build_document(number: int, rng: np.random.Generator) -> Document:
    vectors = {}
    for name, field in VECTOR_FIELDS.items():
        vector = rng.normal(size=field.size).astype(np.float32)
        vectors[name] = vector / np.linalg.norm(vector)
    genres = tuple(f"genre{n}" for n in rng.permutation(12)[:3])
    people = tuple(f"Person {n}" for n in rng.permutation(40)[:3])
    published_at = NOW - timedelta(days=int(rng.integers(1, 9000)))
    item = Item(f"film{number:04}", f"Film {number}", genres=genres, people=people, duration_s=5000 + number,
                published_at=published_at)  # fmt: skip
    return Document(item, vectors)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> ItemTable:
    rng, directory = np.random.default_rng(0), Path(tmp_path_factory.mktemp("table"))
    documents = [build_document(number, rng) for number in range(ITEMS)]
    return build_table(directory / "t", "items-1", [documents], None)


@pytest.fixture(scope="module")
def request_of_viewer(table: ItemTable) -> RankingRequest:
    watches = [
        Event(f"w{n}", "watch", "u", NOW_MS - 1000 - n, f"film{7 * n:04}", 50 + n, 100) for n in range(30)
    ]
    query = Query(text="a film", user="u", context=Context(NOW, "US", "tv"))
    return build_request(query, build_viewer("u", watches, NOW_MS), table, WordLlamaEncoder())


@pytest.mark.parametrize("count", [1, 2, 7, 127, 129, 900])
def test_signals_are_the_same_bits_beside_other_candidates(
    table: ItemTable, request_of_viewer: RankingRequest, count: int
) -> None:
    ids = encode_item_ids(f"film{n:04}" for n in range(ITEMS))
    scores = np.arange(ITEMS, 0, -1, dtype=np.float32)
    everyone = locate(fuse([Matches("popular", ids, scores)]), table)
    positions = np.random.default_rng(count).permutation(ITEMS)[:count]
    some = everyone.take(positions)
    popularity = Popularity(len(table))
    whole, part = (observe(request_of_viewer, each, table, popularity) for each in (everyone, some))
    expected = whole.take(positions)
    assert [name for name in part.columns if not is_same(part.columns[name], expected.columns[name])] == []


def is_same(one: Column, other: Column) -> bool:
    return np.ascontiguousarray(one).tobytes() == np.ascontiguousarray(other).tobytes()


def test_taking_candidates_takes_their_rows(table: ItemTable) -> None:
    found = locate(
        fuse([Matches("popular", encode_item_ids(["film0003", "none"]), np.ones(2, np.float32))]), table
    )
    assert isinstance(found, LocatedCandidates)
    assert found.take(np.array([1, 0])).rows.tolist() == found.rows[::-1].tolist()
