"""In a search, what was typed leads; the model orders what matches alike."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from reelrank.index_mappings.match import encode_item_ids
from reelrank.index_mappings.query import Query
from reelrank.ranking.items.popularity.counters import Popularity
from reelrank.ranking.items.table import ItemTable, build_table
from reelrank.ranking.items.watch_columns import WatchColumns
from reelrank.ranking.policies.config import RankingConfig
from reelrank.ranking.policies.lexical import LexicalOrder
from reelrank.ranking.policies.policy import ScoredCandidates
from reelrank.ranking.policies.similar import SimilarOrder
from reelrank.ranking.rankers.lambdarank import FusedOrder

NAN = float("nan")
STEPS = 20


def order_candidates(
    table: ItemTable,
    query: Query,
    model_order: list[int],
    sources: dict[str, list[float]],
    model: str = FusedOrder.name,
) -> list[int]:
    """sources: scores by source, signals of titles, and `all_words`: 1 where every word matched."""
    n = len(model_order)
    scored = ScoredCandidates(
        query,
        encode_item_ids(f"f{position}" for position in range(n)),
        np.full(n, -1, np.intp),
        np.zeros(n, np.float32),
        {name: np.array(scores, np.float32) for name, scores in sources.items()},
        table,
        Popularity(0),
        0,
        model,
        all_words=np.array(sources["all_words"]) > 0 if "all_words" in sources else None,
        signals={
            name: np.array(sources.get(name, [0.0] * n), np.float32)
            for name in ("title_words", "title_covered")
        },
    )
    order: NDArray[np.intp] = np.array(model_order, np.intp)
    return [int(place) for place in LexicalOrder(STEPS, STEPS).apply(order, scored, RankingConfig()).order]


@pytest.fixture
def table(tmp_path: Path) -> ItemTable:
    return build_table(tmp_path / "table", "items-1", [], None)


SEARCH = Query(text="heat")


def test_items_with_every_word_lead_those_with_some_and_follow_named_ones(table: ItemTable) -> None:
    sources = {"title": [NAN, NAN, 1.0, NAN], "bm25": [9.0, 3.0, 2.0, 4.0], "all_words": [0.0, 1.0, 0.0, 1.0]}
    assert order_candidates(table, SEARCH, [0, 1, 2, 3], sources) == [2, 3, 1, 0]


def test_a_whole_title_leads_whatever_the_model_says(table: ItemTable) -> None:
    sources = {"title": [NAN, NAN, 3.0, 1.2], "bm25": [9.0, 8.0, 7.0, NAN]}
    assert order_candidates(table, SEARCH, [0, 1, 3, 2], sources) == [2, 3, 0, 1]


def test_the_model_orders_matches_within_one_step(table: ItemTable) -> None:
    sources = {"bm25": [10.0, 9.9, 9.8, 5.0]}
    assert order_candidates(table, SEARCH, [3, 2, 1, 0], sources) == [0, 2, 1, 3]
    assert order_candidates(table, SEARCH, [3, 2, 1, 0], {"bm25": [10.0, 10.0, 10.0, 5.0]}) == [2, 1, 0, 3]


def test_what_only_a_vector_found_fills_up_below(table: ItemTable) -> None:
    sources = {"bm25": [NAN, 0.1, NAN, 4.0], "text_knn": [0.9, NAN, 0.8, NAN]}
    assert order_candidates(table, SEARCH, [0, 2, 1, 3], sources) == [3, 1, 0, 2]


@pytest.mark.parametrize(
    "sources", [{}, {"bm25": [NAN] * 3}, {"bm25": [0.0] * 3}, {"text_knn": [0.1, 0.2, 0.3]}]
)
def test_without_words_that_match_the_order_stays(table: ItemTable, sources: dict[str, list[float]]) -> None:
    assert order_candidates(table, SEARCH, [2, 0, 1], sources) == [2, 0, 1]


@pytest.mark.parametrize("query", [Query(user="ada"), Query(similar_to="f1")])
def test_pages_without_a_search_stay_as_they_are(table: ItemTable, query: Query) -> None:
    assert order_candidates(table, query, [2, 0, 1], {"bm25": [1.0, 2.0, 3.0]}) == [2, 0, 1]


@pytest.mark.parametrize("seed", range(50))
def test_the_order_is_a_permutation_that_never_lowers_a_better_match(table: ItemTable, seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 40))
    bm25 = np.where(rng.random(n) < 0.3, np.nan, rng.random(n) * 20).tolist()
    named = np.where(rng.random(n) < 0.8, np.nan, rng.integers(1, 4, n)).tolist()
    order = order_candidates(table, SEARCH, rng.permutation(n).tolist(), {"bm25": bm25, "title": named})
    assert sorted(order) == list(range(n))
    levels = np.nan_to_num(np.array(named)[order])
    assert (np.diff(levels) <= 0).all()
    best = np.nanmax(bm25) if np.isfinite(bm25).any() else 1.0
    steps = np.where(np.isfinite(bm25), np.floor(np.array(bm25, np.float32) / np.float32(best) * 20), -1)[
        order
    ]
    is_ordered_by_bm25 = (np.diff(levels) == 0) & (levels[1:] <= 1)
    assert all(b <= a for a, b, same in zip(steps, steps[1:], is_ordered_by_bm25, strict=False) if same)


def test_the_model_orders_a_series_and_length_orders_half_typed_titles(table: ItemTable) -> None:
    sources = {"title": [0.5, 0.75, 1.0], "bm25": [9.0, 2.0, 5.0]}
    whole, half = {**sources, "title_words": [1.0] * 3}, {**sources, "title_words": [0.5] * 3}
    assert order_candidates(table, SEARCH, [1, 2, 0], whole) == [1, 2, 0]
    assert order_candidates(table, SEARCH, [1, 0, 2], half) == [2, 1, 0]


def test_a_title_with_every_word_precedes_the_rest_of_a_series_but_no_beginning(table: ItemTable) -> None:
    series = {"title": [0.25, NAN, NAN], "bm25": [9.0, 5.0, 3.0], "title_words": [0.5, 1.0, 0.0]}
    assert order_candidates(table, SEARCH, [0, 1, 2], series) == [1, 0, 2]
    begun = {**series, "title": [0.25, NAN, 0.7]}
    assert order_candidates(table, SEARCH, [0, 1, 2], begun) == [2, 0, 1]


def test_further_items_of_named_people_follow_theirs_and_precede_titles_that_begin(table: ItemTable) -> None:
    sources = {
        "title": [1.0, 1.5, 2.0, NAN],
        "bm25": [9.0, 9.0, 1.0, 9.0],
        "title_words": [0.5, 0.0, 0.0, 0.5],
    }
    for model in (FusedOrder.name, "lambdarank-1"):
        assert order_candidates(table, SEARCH, [3, 0, 1, 2], sources, model) == [2, 1, 0, 3]


def test_titles_that_hold_every_word_precede_other_matches(table: ItemTable) -> None:
    sources = {"bm25": [9.0, 3.0, 2.0, NAN], "title_words": [0.5, 1.0, 1.0, 1.0]}
    assert order_candidates(table, SEARCH, [0, 2, 1, 3], sources) == [1, 2, 0, 3]
    assert order_candidates(table, SEARCH, [0, 2, 1, 3], sources, model="lambdarank-1") == [2, 1, 0, 3]
    same_words = {**sources, "title_covered": [1.0, 1.0, 0.5, 1.0]}
    assert order_candidates(table, SEARCH, [0, 2, 1, 3], same_words, model="lambdarank-1") == [1, 2, 0, 3]


def build_watched_candidates(watched_rows: list[int], scores: dict[str, list[float]]) -> ScoredCandidates:
    """Returns candidates f0, f1, ...; the signal `title_words` is among the scores."""
    n, count = len(scores["title"]), len(watched_rows)
    popularity = Popularity(n)
    ones, times = np.ones(count, np.float32), np.arange(1, count + 1)
    viewers, rows = np.arange(count, dtype=np.uint64), np.array(watched_rows)
    popularity.add_watches(WatchColumns(viewers, rows, times, ones, times, ones * 0))
    return ScoredCandidates(
        SEARCH,
        encode_item_ids(f"f{row}" for row in range(n)),
        np.arange(n),
        np.zeros(n, np.float32),
        {name: np.array(values, np.float32) for name, values in scores.items() if name != "title_words"},
        None,  # type: ignore[arg-type]  # the order does not read the table
        popularity,
        0,
        signals={"title_words": np.array(scores["title_words"], np.float32)},
    )


def test_without_a_model_the_most_watched_film_of_a_series_is_first() -> None:
    scored = build_watched_candidates(
        [2, 2, 1], {"title": [1.0] * 3, "bm25": [9.0, 2.0, 5.0], "title_words": [1.0] * 3}
    )
    assert LexicalOrder().apply(np.arange(3), scored, RankingConfig()).order.tolist() == [2, 1, 0]
    with_model = replace(scored, model="lambdarank-1")
    assert LexicalOrder().apply(np.arange(3), with_model, RankingConfig()).order.tolist() == [0, 1, 2]


@pytest.mark.parametrize("model", [FusedOrder.name, "lambdarank-1"])
def test_items_of_a_person_and_titles_with_the_name_come_most_watched_first(model: str) -> None:
    """f0, a little watched film about the person; f1, f2: the person's; f3: a watched title with the name."""
    watched = [1] * 30 + [2] * 12 + [3] * 5
    scores = {
        "title": [2.0, 2.0, 2.0, NAN],
        "bm25": [9.0, 2.0, 1.0, 5.0],
        "title_words": [1.0, 0.0, 0.0, 1.0],
    }
    scored = replace(build_watched_candidates(watched, scores), model=model)
    assert LexicalOrder().apply(np.arange(4), scored, RankingConfig()).order.tolist() == [3, 1, 2, 0]


def test_a_whole_title_leads_the_items_of_a_person() -> None:
    scores = {"title": [2.0, 3.0], "bm25": [9.0, 2.0], "title_words": [0.0, 1.0]}
    scored = build_watched_candidates([0] * 9, scores)
    assert LexicalOrder().apply(np.arange(2), scored, RankingConfig()).order.tolist() == [1, 0]


def test_similar_items_keep_the_order_of_their_sources(table: ItemTable) -> None:
    scored = ScoredCandidates(
        Query(similar_to="f9"),
        encode_item_ids(["f0", "f1"]),
        np.full(2, -1, np.intp),
        np.array([0.1, 0.9], np.float32),
        {},
        table,
        Popularity(0),
        0,
    )
    by_model = np.array([1, 0])
    assert SimilarOrder().apply(by_model, scored, RankingConfig()).order.tolist() == [0, 1]
    home = replace(scored, query=Query(user="ada"))
    assert SimilarOrder().apply(by_model, home, RankingConfig()).order.tolist() == [1, 0]
