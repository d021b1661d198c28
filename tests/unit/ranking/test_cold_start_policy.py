"""Popularity leads the first page of a viewer without a past; what follows keeps its order."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from reelrank.index_mappings.item import Document, Item
from reelrank.index_mappings.query import Query
from reelrank.ranking.column import Column
from reelrank.ranking.items.popularity.counters import Popularity
from reelrank.ranking.items.table import ItemTable, build_table
from reelrank.ranking.policies.cold_start import FIRST_PAGE, PopularForColdStart
from reelrank.ranking.policies.config import RankingConfig
from reelrank.ranking.policies.policy import Order, ScoredCandidates

ITEMS = 60
ANY_PAGE = Query()
BY_SCORE = np.random.default_rng(1).permutation(ITEMS)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> ItemTable:
    path: Path = tmp_path_factory.mktemp("table") / "t"
    return build_table(path, "v", [[Document(Item(f"f{number:02}", "x")) for number in range(ITEMS)]], None)


def build_candidates(table: ItemTable, shares: Column, query: Query = ANY_PAGE) -> ScoredCandidates:
    scores = np.zeros(ITEMS, np.float32)
    signals = {"share_30d": shares, "share_1d": shares[::-1].copy()}
    return ScoredCandidates(
        query, table.ids, np.arange(ITEMS), scores, {}, table, Popularity(ITEMS), 0, signals=signals,
        is_cold_start=True,
    )  # fmt: skip


def reorder(candidates: ScoredCandidates, half_life_days: int = 30) -> Order:
    config = RankingConfig(popular_half_life_days=half_life_days)
    return PopularForColdStart().apply(BY_SCORE, candidates, config).order


def build_shares() -> Column:
    return np.linspace(0.5, 1.0, ITEMS).astype(np.float32)


def test_the_first_page_is_by_popularity_and_the_rest_by_score(table: ItemTable) -> None:
    order = reorder(build_candidates(table, build_shares()))
    assert order[:FIRST_PAGE].tolist() == list(range(ITEMS))[::-1][:FIRST_PAGE]
    assert order[FIRST_PAGE:].tolist() == [n for n in BY_SCORE if n < ITEMS - FIRST_PAGE]


def test_a_longer_page_is_ordered_to_its_end(table: ItemTable) -> None:
    order = reorder(build_candidates(table, build_shares(), query=Query(limit=50)))
    assert order[:50].tolist() == list(range(ITEMS))[::-1][:50]


def test_the_half_life_is_that_of_the_popular_source(table: ItemTable) -> None:
    order = reorder(build_candidates(table, build_shares()), half_life_days=1)
    assert order[:FIRST_PAGE].tolist() == list(range(FIRST_PAGE))


def test_what_nobody_watched_keeps_its_place(table: ItemTable) -> None:
    shares = np.zeros(ITEMS, np.float32)
    assert reorder(build_candidates(table, shares)).tolist() == BY_SCORE.tolist()
    shares[7] = 0.1
    assert reorder(build_candidates(table, shares)).tolist() == [7, *(n for n in BY_SCORE if n != 7)]
    unknown = np.full(ITEMS, np.nan, np.float32)
    assert reorder(build_candidates(table, unknown)).tolist() == BY_SCORE.tolist()


@pytest.mark.parametrize("query", [Query(text="x"), Query(similar_to="f01")])
def test_searches_and_similar_items_stay_as_they_are(table: ItemTable, query: Query) -> None:
    assert reorder(build_candidates(table, build_shares(), query=query)).tolist() == BY_SCORE.tolist()


def test_pages_of_viewers_with_a_past_stay_as_they_are(table: ItemTable) -> None:
    known = replace(build_candidates(table, build_shares()), is_cold_start=False)
    assert reorder(known).tolist() == BY_SCORE.tolist()


def test_nothing_stays_nothing(table: ItemTable) -> None:
    none = np.empty(0, np.intp)
    nothing = replace(
        build_candidates(table, build_shares()), ids=table.ids[:0], rows=none, signals={},
        scores=np.empty(0, np.float32),
    )  # fmt: skip
    assert PopularForColdStart().apply(none, nothing, RankingConfig()).order.tolist() == []
