"""Maximal marginal relevance: similar items make room on a home page, as much as the setting says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelrank.index_mappings.item import Document, Item
from reelrank.index_mappings.query import Query
from reelrank.ranking.items.popularity.counters import Popularity
from reelrank.ranking.items.table import ItemTable, build_table
from reelrank.ranking.policies.config import RankingConfig
from reelrank.ranking.policies.diversity import POOL_SIZE, MaximalMarginalRelevance, choose_diverse
from reelrank.ranking.policies.policy import Order, ScoredCandidates

ITEMS = 150
GROUPS = 6


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> ItemTable:
    """Items of six groups; those of a group have nearly the same vector, and 25 in a row are of one group."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(GROUPS, 256))
    vectors = centres[np.arange(ITEMS) // (ITEMS // GROUPS)] + 0.1 * rng.normal(size=(ITEMS, 256))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    documents = [
        Document(Item(f"f{number:03}", "x"), {"text": vector})
        for number, vector in enumerate(vectors.astype(np.float32))
    ]
    return build_table(tmp_path_factory.mktemp("table") / "t", "v", [documents], None)


def reorder(table: ItemTable, query: Query, diversity: float, rows: Order | None = None) -> Order:
    rows = np.arange(ITEMS) if rows is None else rows
    n = len(rows)
    ids, scores = table.ids[rows], np.zeros(n, np.float32)
    scored = ScoredCandidates(query, ids, rows, scores, {}, table, Popularity(ITEMS), 0)
    config = RankingConfig(diversity=diversity)
    return MaximalMarginalRelevance().apply(np.arange(n), scored, config).order


def count_groups(order: Order) -> int:
    return len(np.unique(order[:20] // (ITEMS // GROUPS)))


def test_a_diverse_page_has_more_kinds_of_items(table: ItemTable) -> None:
    kinds = [count_groups(reorder(table, Query(), diversity)) for diversity in (0, 0.3, 0.7)]
    assert kinds[0] == 1
    assert kinds == sorted(kinds)
    assert kinds[-1] == POOL_SIZE * GROUPS // ITEMS


@pytest.mark.parametrize("query", [Query(text="x"), Query(similar_to="f001")])
def test_searches_and_similar_items_stay_as_they_are(table: ItemTable, query: Query) -> None:
    assert reorder(table, query, 0.7).tolist() == list(range(ITEMS))


@pytest.mark.parametrize("diversity", [0.0, 1e-9])
def test_without_diversity_the_order_stays(table: ItemTable, diversity: float) -> None:
    assert reorder(table, Query(), diversity).tolist() == list(range(ITEMS))


def test_nothing_is_lost_and_the_rest_keeps_its_order(table: ItemTable) -> None:
    order = reorder(table, Query(limit=20), 0.5)
    assert order[0] == 0
    assert sorted(order.tolist()) == list(range(ITEMS))
    assert (np.diff(order[20:POOL_SIZE]) > 0).all()
    assert order[POOL_SIZE:].tolist() == list(range(POOL_SIZE, ITEMS))


def test_items_that_the_table_lacks_are_like_no_other(table: ItemTable) -> None:
    rows = np.array([0, 1, 2, -1, 3])
    assert reorder(table, Query(), 0.5, rows).tolist()[:2] == [0, 3]


@given(st.integers(1, 30), st.integers(1, 40), st.floats(0, 1), st.integers(0, 1000))
def test_each_choice_has_the_highest_marginal_relevance(
    n: int, count: int, diversity: float, seed: int
) -> None:
    vectors = np.abs(np.random.default_rng(seed).normal(size=(n, 4)))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    similarity = (vectors @ vectors.T).astype(np.float32)
    chosen = choose_diverse(similarity, count, diversity).tolist()
    assert len(chosen) == len(set(chosen)) == min(n, count)
    for place, position in enumerate(chosen):
        above, left = chosen[:place], [p for p in range(n) if p not in chosen[:place]]
        values = {
            p: (1 - diversity) * (1 - p / n) - diversity * max((similarity[p][a] for a in above), default=0)
            for p in left
        }
        assert values[position] == pytest.approx(max(values.values()))
