"""From the matches of all sources to the candidates of a request and their rows in the item table."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reelrank.index_mappings.match import Matches, encode_item_ids
from reelrank.ranking.items.table import ItemTable, Rows, build_row_mask, find_published
from reelrank.ranking.retrieval.fusion import Candidates, fuse
from reelrank.ranking.retrieval.gibberish import is_gibberish
from reelrank.ranking.viewers.request import RankingRequest


@dataclass(frozen=True, slots=True, eq=False)
class LocatedCandidates:
    """n candidates and their rows [n] in the item table, -1 where the table lacks the item."""

    candidates: Candidates
    rows: Rows

    def take(self, positions: NDArray[np.intp]) -> "LocatedCandidates":
        """Returns the candidates at these positions, in this order."""
        return LocatedCandidates(self.candidates.take(positions), self.rows[positions])


def locate(candidates: Candidates, table: ItemTable) -> LocatedCandidates:
    return LocatedCandidates(candidates, table.find_rows(candidates.ids))


def build_candidates(
    request: RankingRequest, matches: Sequence[Matches], table: ItemTable
) -> LocatedCandidates:
    """Returns the fused candidates without watched items (home and similar), without the item itself
    (similar) and without what the query or its filters exclude: the table checks items that changed since
    their match again. A search for gibberish has none.
    """
    query = request.query
    found = locate(fuse(matches), table)
    if query.kind != "search":
        found = _drop_watched(found, request, table)
    elif is_gibberish(request, found.candidates, table):
        return found.take(np.empty(0, np.intp))
    else:
        found = _forget_homonyms(found, request, table)
    if query.similar_to:
        found = found.take(np.flatnonzero(found.candidates.ids != encode_item_ids([query.similar_to])[0]))
    if query.exclude:
        is_excluded = np.isin(found.candidates.ids, encode_item_ids(query.exclude))
        found = found.take(np.flatnonzero(~is_excluded))
    if query.kind == "search" and query.sort != "relevance":
        found = _keep_best_matched(found)
    if not query.filters.is_empty:
        found = found.take(np.flatnonzero((found.rows < 0) | table.passes(query.filters, found.rows)))
    return _fill_up(found, request, table) if query.kind == "home" else found


def _forget_homonyms(
    found: LocatedCandidates, request: RankingRequest, table: ItemTable
) -> LocatedCandidates:
    """Lets an item lack a word of the query that only names a person whom the query does not mean."""
    candidates, typed = found.candidates, request.typed
    if typed is None or not len(typed.homonyms) or candidates.all_words is None:
        return found
    is_homonym = (found.rows >= 0) & build_row_mask(table, typed.homonyms)[found.rows]
    return replace(found, candidates=replace(candidates, all_words=candidates.all_words & ~is_homonym))


def _keep_best_matched(found: LocatedCandidates) -> LocatedCandidates:
    """Keeps what is worth sorting: items that the query names or that have every word of it; without any,
    those that have some word; without any, all."""
    candidates = found.candidates
    named = candidates.get_source_ranks("title") >= 0
    has_words = candidates.get_source_ranks("bm25") >= 0
    tiers = (named | candidates.have_all_words, has_words)
    best_tier = next((tier for tier in tiers if tier.any()), np.ones(len(named), bool))
    return found.take(np.flatnonzero(best_tier))


def _drop_watched(found: LocatedCandidates, request: RankingRequest, table: ItemTable) -> LocatedCandidates:
    """Compares rows, which costs less than ids; ids only for items that the table lacks."""
    if not len(request.viewer.seen):
        return found
    is_watched = (found.rows >= 0) & build_row_mask(table, request.seen_rows)[found.rows]
    unknown = np.flatnonzero(found.rows < 0)
    is_watched[unknown] = np.isin(found.candidates.ids[unknown], request.viewer.seen)
    return found.take(np.flatnonzero(~is_watched))


def _fill_up(found: LocatedCandidates, request: RankingRequest, table: ItemTable) -> LocatedCandidates:
    """Adds items that no source found, last, when a viewer watched so much that a page would not be full."""
    missing = request.query.limit - len(found.rows)
    if missing <= 0 or not len(request.viewer.seen):
        return found
    excluded = table.find_rows(encode_item_ids(request.query.exclude))
    known = np.concatenate([found.rows, request.seen_rows, excluded])
    unseen = np.flatnonzero(~build_row_mask(table, known[known >= 0]))
    unseen = unseen[find_published(table, unseen, request.query.filters, request.today)][:missing]
    return LocatedCandidates(
        found.candidates.with_unranked(table.ids[unseen]), np.concatenate([found.rows, unseen])
    )
