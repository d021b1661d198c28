"""What the text of a search matched: how many candidates by their words, and whether any did."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from reelrank.app.search.page import MatchKind, SearchOutcome
from reelrank.index_mappings.errors import Degradation
from reelrank.index_mappings.match import encode_item_ids
from reelrank.ranking.distinct import subtract_distinct
from reelrank.ranking.items.table import ItemTable
from reelrank.ranking.policies.config import CandidateLimits
from reelrank.ranking.retrieval.fusion import Candidates
from reelrank.ranking.retrieval.source_names import LEXICAL_SOURCES
from reelrank.ranking.retrieval.sources import OTHERS_SCORE, SORTED_LIMIT
from reelrank.ranking.viewers.request import RankingRequest

TEXT_SOURCE, TITLE_SOURCE = "bm25", "title"


def summarize_search(
    request: RankingRequest,
    candidates: Candidates,
    degraded: Sequence[Degradation],
    limits: CandidateLimits,
    table: ItemTable,
) -> SearchOutcome:
    """Counts the candidates of a search that match by their words, and those that have all of them.

    A count is a lower bound when a source gave as many as it was asked for, or did not answer in full.
    """
    if request.query.sort != "relevance":
        limits = replace(limits, bm25=SORTED_LIMIT)
    total = int(candidates.are_found_by(LEXICAL_SOURCES).sum())
    is_complete = has_all_lexical(candidates, degraded)
    match: MatchKind | None = "lexical"
    if not total:
        match = ("semantic" if len(candidates) else "none") if is_complete else None
    text = request.query.text or ""
    is_lower_bound = not is_complete or _is_any_full(candidates, limits)
    outcome = SearchOutcome(match, total, is_lower_bound, text, text)
    if request.typed:
        outcome = replace(outcome, spelling=request.typed.spelling, expansion=request.typed.expansion)
    return _count_all_words(outcome, request, candidates, table) if total else outcome


def find_full_matches(candidates: Candidates) -> NDArray[np.bool_]:
    """Returns which candidates [n] have all words of a search or are named by it.

    Further items of people who are named do not count. Whatever matches one word has it.
    """
    if candidates.all_words is None:
        return candidates.are_found_by(LEXICAL_SOURCES)
    return candidates.all_words | _are_named(candidates)


def _count_all_words(
    outcome: SearchOutcome, request: RankingRequest, candidates: Candidates, table: ItemTable
) -> SearchOutcome:
    if candidates.all_words is None:
        is_lower_bound = outcome.is_lower_bound
        return replace(outcome, all_words=outcome.total, all_words_is_lower_bound=is_lower_bound)
    if named := _count_named(request, table):
        return replace(outcome, total=max(outcome.total, named), all_words=named)
    full = find_full_matches(candidates)
    lacks_words = candidates.are_found_by((TEXT_SOURCE,)) & ~candidates.all_words
    is_lower_bound = outcome.is_lower_bound and not lacks_words.any()  # those with all words come first
    return replace(outcome, all_words=int(full.sum()), all_words_is_lower_bound=is_lower_bound)


def _count_named(request: RankingRequest, table: ItemTable) -> int:
    """Returns how many items the people have whom a text surely names, with titles that it names; else 0.

    The title source gives only the most watched of many.
    """
    typed, query = request.typed, request.query
    if typed is None or not len(typed.people.rows) or len(typed.people.namesakes):
        return 0
    leading, _ = typed.people.choose(np.zeros(0), table.year)
    rows = np.concatenate([leading, typed.titles]) if len(leading) else leading
    rows = subtract_distinct(rows, table.find_rows(encode_item_ids(query.exclude)))
    return int(table.passes(query.filters, rows).sum())


def _is_any_full(candidates: Candidates, limits: CandidateLimits) -> bool:
    """Returns whether a source gave as many as it was asked for. Further items of people have their names
    among their words, so the text source counts them."""
    texts = int((candidates.get_source_ranks(TEXT_SOURCE) >= 0).sum())
    titles = int(_are_named(candidates).sum())
    return texts >= limits.bm25 > 0 or titles >= limits.title > 0


def _are_named(candidates: Candidates) -> NDArray[np.bool_]:
    if TITLE_SOURCE not in candidates.sources:
        return np.zeros(len(candidates), bool)
    is_further = candidates.get_source_scores(TITLE_SOURCE) == OTHERS_SCORE
    return np.asarray((candidates.get_source_ranks(TITLE_SOURCE) >= 0) & ~is_further)


def has_all_lexical(candidates: Candidates, degraded: Sequence[Degradation]) -> bool:
    """Returns whether the text source answered in full, so that other candidates lack the words."""
    return TEXT_SOURCE in candidates.sources and all(missing.source != TEXT_SOURCE for missing in degraded)
