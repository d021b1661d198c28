"""What a search says about its words: which hits match, how many there are, and when none does."""

from dataclasses import replace

import numpy as np
import pytest

from reelrank.app.search.lexical.outcome import summarize_search
from reelrank.app.search.page import SOME_WORDS, SearchOutcome
from reelrank.app.search.result_list import ResultList
from reelrank.index_mappings.errors import Degradation
from reelrank.index_mappings.item import Document, Item
from reelrank.index_mappings.match import Matches, encode_item_ids
from reelrank.index_mappings.query import Query
from reelrank.ranking.items.names.typed_query import read_query
from reelrank.ranking.items.table import ItemTable, build_table
from reelrank.ranking.policies.config import CandidateLimits
from reelrank.ranking.retrieval.fusion import Candidates, fuse
from reelrank.ranking.retrieval.sources import OTHERS_SCORE, PERSON_SCORE
from reelrank.ranking.viewers.history import build_anonymous_viewer
from reelrank.ranking.viewers.request import RankingRequest

LATE = Degradation("bm25", "timeout", "late")
SEA = RankingRequest(Query(text="sea"), build_anonymous_viewer(), {})
LIMITS = CandidateLimits(title=2, bm25=3)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> ItemTable:
    """Ten items a to j, of which b, c and d are by one person."""
    items = [Item(name, name, people=("Ada Sea",) if name in "bcd" else ()) for name in "abcdefghij"]
    directory = tmp_path_factory.mktemp("table") / "table"
    return build_table(directory, "items-1", [[Document(item, {}) for item in items]], None)


def build_candidates(**ids: str) -> Candidates:
    """Fuses one source per keyword; each letter is the id of an item."""
    return fuse(
        [
            Matches(name, encode_item_ids(found), -np.arange(len(found), dtype=np.float32))
            for name, found in ids.items()
        ]
    )


def found(total: int, is_lower_bound: bool = False) -> SearchOutcome:
    return SearchOutcome(
        "lexical",
        total,
        is_lower_bound,
        "sea",
        "sea",
        all_words=total,
        all_words_is_lower_bound=is_lower_bound,
    )


@pytest.mark.parametrize(
    ("ids", "degraded", "outcome"),
    [
        ({"bm25": "ab", "text_knn": "bcd"}, (), found(2)),
        ({"title": "a", "bm25": "b", "text_knn": "c"}, (), found(2)),
        ({"bm25": "abc", "text_knn": "d"}, (), found(3, True)),
        ({"title": "ab", "bm25": "", "text_knn": "d"}, (), found(2, True)),
        ({"bm25": "", "text_knn": "cd"}, (), SearchOutcome("semantic", 0, False, "sea", "sea")),
        ({"bm25": "", "text_knn": ""}, (), SearchOutcome("none", 0, False, "sea", "sea")),
        ({"text_knn": "cd"}, (LATE,), SearchOutcome(None, 0, True, "sea", "sea")),
        ({"title": "a", "text_knn": "cd"}, (LATE,), found(1, True)),
        ({"bm25": "a", "text_knn": "cd"}, (LATE,), found(1, True)),
    ],
)
def test_the_total_counts_what_matches_by_its_words(
    table: ItemTable, ids: dict[str, str], degraded: tuple[Degradation, ...], outcome: SearchOutcome
) -> None:
    assert summarize_search(SEA, build_candidates(**ids), degraded, LIMITS, table) == outcome


def find_words(full: str, some: str = "", title: str = "", score: float = PERSON_SCORE) -> Candidates:
    """Fuses a text source, some of whose items have all words, and a title source."""
    text = Matches(
        "bm25", encode_item_ids(full + some), np.ones(len(full + some), np.float32),
        np.arange(len(full + some)) < len(full),
    )  # fmt: skip
    return fuse([text, Matches("title", encode_item_ids(title), np.full(len(title), score, np.float32))])


MANY = CandidateLimits(title=5, bm25=5)


@pytest.mark.parametrize(
    ("candidates", "counts"),
    [
        (find_words("a", "bc"), (1, False, 2, False)),
        (find_words("", "bc"), (0, False, 2, False)),
        (find_words("a", "bcde"), (1, False, 4, True)),
        (find_words("abcde"), (5, True, 0, True)),
        (find_words("", "bc", "de"), (2, False, 2, False)),
        (find_words("", "bc", "defg", OTHERS_SCORE), (0, False, 6, False)),
    ],
)
def test_items_with_all_words_are_counted_apart(
    table: ItemTable, candidates: Candidates, counts: tuple[int, bool, int, bool]
) -> None:
    outcome = summarize_search(SEA, candidates, (), MANY, table)
    all_words, is_bound = outcome.all_words, outcome.all_words_is_lower_bound
    assert (all_words, is_bound, outcome.some_words, outcome.is_lower_bound) == counts
    assert outcome.message == (SOME_WORDS if all_words == 0 else "")


def test_all_items_of_a_named_person_are_counted_though_a_source_gives_fewer(table: ItemTable) -> None:
    typed = read_query(table.titles, "ada sea", table.year, 10)
    limits, candidates = CandidateLimits(title=2, bm25=2), find_words("bc", "", "bc")
    outcome = summarize_search(replace(SEA, typed=typed), candidates, (), limits, table)
    assert (outcome.all_words, outcome.all_words_is_lower_bound) == (3, False)
    without = replace(SEA, typed=typed, query=Query(text="ada sea", exclude=("b",)))
    assert summarize_search(without, candidates, (), limits, table).all_words == 2


def test_facets_count_what_has_all_words_if_anything_has() -> None:
    for candidates, ids in ((find_words("a", "bc"), [b"a"]), (find_words("", "bc"), [b"b", b"c"])):
        scores = np.zeros(len(candidates), np.float32)
        ranked = ResultList("r", SEA.query, candidates, scores, "m", "v", (), search=found(1))
        assert sorted(ranked.counted_ids.tolist()) == ids


def test_a_cached_list_keeps_what_its_text_matched(table: ItemTable) -> None:
    candidates = build_candidates(bm25="ab", text_knn="bcd")
    outcome = replace(summarize_search(SEA, candidates, (), LIMITS, table), expansion=("ocean",))
    scores = np.zeros(len(candidates), np.float32)
    kept = ResultList("r", Query(text="sea"), candidates, scores, "m", "v", (), search=outcome)
    back = ResultList.from_bytes(kept.to_bytes())
    assert back.search == outcome
    assert sorted(back.counted_ids.tolist()) == [b"a", b"b"]


def test_a_sorted_search_asks_for_more_before_its_total_is_a_lower_bound(table: ItemTable) -> None:
    newest = replace(SEA, query=Query(text="sea", sort="newest"))
    candidates = build_candidates(bm25="abc")
    assert summarize_search(SEA, candidates, (), LIMITS, table).is_lower_bound
    assert not summarize_search(newest, candidates, (), LIMITS, table).is_lower_bound
