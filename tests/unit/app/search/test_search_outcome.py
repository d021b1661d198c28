"""What a search says about its words: which hits match, how many there are, and when none does."""

from dataclasses import replace

import numpy as np
import pytest

from reelrank.app.search.lexical.outcome import summarize_search
from reelrank.app.search.page import SearchOutcome
from reelrank.app.search.result_list import ResultList
from reelrank.index_mappings.errors import Degradation
from reelrank.index_mappings.match import Matches, encode_item_ids
from reelrank.index_mappings.query import Query
from reelrank.ranking.policies.config import CandidateLimits
from reelrank.ranking.retrieval.fusion import Candidates, fuse
from reelrank.ranking.viewers.history import build_anonymous_viewer
from reelrank.ranking.viewers.request import RankingRequest

LATE = Degradation("bm25", "timeout", "late")
SEA = RankingRequest(Query(text="sea"), build_anonymous_viewer(), {})
LIMITS = CandidateLimits(title=2, bm25=3)


def build_candidates(**ids: str) -> Candidates:
    """Fuses one source per keyword; each letter is the id of an item."""
    return fuse(
        [
            Matches(name, encode_item_ids(found), -np.arange(len(found), dtype=np.float32))
            for name, found in ids.items()
        ]
    )


@pytest.mark.parametrize(
    ("ids", "degraded", "outcome"),
    [
        ({"bm25": "ab", "text_knn": "bcd"}, (), SearchOutcome("lexical", 2, False, "sea", "sea")),
        ({"title": "a", "bm25": "b", "text_knn": "c"}, (), SearchOutcome("lexical", 2, False, "sea", "sea")),
        ({"bm25": "abc", "text_knn": "d"}, (), SearchOutcome("lexical", 3, True, "sea", "sea")),
        ({"title": "ab", "bm25": "", "text_knn": "d"}, (), SearchOutcome("lexical", 2, True, "sea", "sea")),
        ({"bm25": "", "text_knn": "cd"}, (), SearchOutcome("semantic", 0, False, "sea", "sea")),
        ({"bm25": "", "text_knn": ""}, (), SearchOutcome("none", 0, False, "sea", "sea")),
        ({"text_knn": "cd"}, (LATE,), SearchOutcome(None, 0, True, "sea", "sea")),
        ({"title": "a", "text_knn": "cd"}, (LATE,), SearchOutcome("lexical", 1, True, "sea", "sea")),
        ({"bm25": "a", "text_knn": "cd"}, (LATE,), SearchOutcome("lexical", 1, True, "sea", "sea")),
    ],
)
def test_the_total_counts_what_matches_by_its_words(
    ids: dict[str, str], degraded: tuple[Degradation, ...], outcome: SearchOutcome
) -> None:
    assert summarize_search(SEA, build_candidates(**ids), degraded, LIMITS) == outcome


def test_a_cached_list_keeps_what_its_text_matched() -> None:
    candidates = build_candidates(bm25="ab", text_knn="bcd")
    outcome = replace(summarize_search(SEA, candidates, (), LIMITS), expansion=("ocean",))
    scores = np.zeros(len(candidates), np.float32)
    kept = ResultList("r", Query(text="sea"), candidates, scores, "m", "v", (), search=outcome)
    back = ResultList.from_bytes(kept.to_bytes())
    assert back.search == outcome
    assert sorted(back.counted_ids.tolist()) == [b"a", b"b"]


def test_a_sorted_search_asks_for_more_before_its_total_is_a_lower_bound() -> None:
    newest = replace(SEA, query=Query(text="sea", sort="newest"))
    candidates = build_candidates(bm25="abc")
    assert summarize_search(SEA, candidates, (), LIMITS).is_lower_bound
    assert not summarize_search(newest, candidates, (), LIMITS).is_lower_bound
