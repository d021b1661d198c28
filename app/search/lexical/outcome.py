"""What the text of a search matched: how many candidates by their words, and whether any did."""

from collections.abc import Sequence
from dataclasses import replace

from reelrank.app.search.page import MatchKind, SearchOutcome
from reelrank.index_mappings.errors import Degradation
from reelrank.ranking.policies.config import CandidateLimits
from reelrank.ranking.retrieval.fusion import Candidates
from reelrank.ranking.retrieval.source_names import LEXICAL_SOURCES
from reelrank.ranking.retrieval.sources import SORTED_LIMIT
from reelrank.ranking.viewers.request import RankingRequest

TEXT_SOURCE = "bm25"


def summarize_search(
    request: RankingRequest,
    candidates: Candidates,
    degraded: Sequence[Degradation],
    limits: CandidateLimits,
) -> SearchOutcome:
    """Counts the candidates of a search that match by their words.

    The count is a lower bound when a source gave as many as it was asked for, or did not answer in full.
    """
    if request.query.sort != "relevance":
        limits = replace(limits, bm25=SORTED_LIMIT)
    total = int(candidates.are_found_by(LEXICAL_SOURCES).sum())
    is_complete = has_all_lexical(candidates, degraded)
    is_full = any(
        candidates.get_source_ranks(source).max(initial=-1) + 1 >= limits.limit_of(source) > 0
        for source in LEXICAL_SOURCES
    )
    match: MatchKind | None = "lexical"
    if not total:
        match = ("semantic" if len(candidates) else "none") if is_complete else None
    text = request.query.text or ""
    expansion = request.typed.expansion if request.typed else ()
    is_lower_bound = is_full or not is_complete
    spelling = request.typed.spelling if request.typed else text
    return SearchOutcome(match, total, is_lower_bound, text, spelling, expansion=expansion)


def has_all_lexical(candidates: Candidates, degraded: Sequence[Degradation]) -> bool:
    """Returns whether the text source answered in full, so that other candidates lack the words."""
    return TEXT_SOURCE in candidates.sources and all(missing.source != TEXT_SOURCE for missing in degraded)
