"""Candidate sources: which are asked for a moment, for how many, and what becomes of their answers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reelrank.index_mappings.engine import Matcher, NeighbourMatch, TextMatch, VectorMatch
from reelrank.index_mappings.event import DAY_MS
from reelrank.index_mappings.item import Neighbour
from reelrank.index_mappings.match import ItemIds, Matches, item_ids
from reelrank.index_mappings.query import Filters
from reelrank.ranking.items.popularity import Popularity
from reelrank.ranking.items.recency import find_newest
from reelrank.ranking.items.table import ItemTable, Rows
from reelrank.ranking.retrieval.fusion import Candidates, fuse
from reelrank.ranking.viewers.query_vectors import find_recent_watches
from reelrank.ranking.viewers.request import RankingRequest

MAX_SEEDS = 60
"""How many of the newest watches ask for their neighbours; a server takes 62 at most, with 16 levels each."""

MAX_MORE, MAX_MORE_SIMILAR = 500, 200
"""Most items that a source is asked for beyond its cap, to make up for watched ones that are dropped. Engines
look at some thousand at most; whoever watched more gets a full home page from the table."""


@dataclass(frozen=True, slots=True)
class CandidateLimits:
    """Most candidates of each source; 0 turns a source off."""

    bm25: int = 300
    text_knn: int = 200
    factors: int = 300
    neighbours: int = 200
    session: int = 150
    recent: int = 100
    popular: int = 150
    fresh: int = 100

    def limit_of(self, source: str) -> int:
        cap: int = getattr(self, source)
        return cap


@dataclass(frozen=True, slots=True, eq=False)
class TableSource:
    """What the item table alone can answer: the most popular or the newest items.

    today: days since 1970; an item that is published later is not there yet. seen: rows that are left out,
    because the viewer watched them.
    """

    source: str
    limit: int
    filters: Filters
    today: int
    seen: Rows


SourceRequest = TextMatch | VectorMatch | NeighbourMatch | TableSource


def plan_sources(
    request: RankingRequest, table: ItemTable, limits: CandidateLimits
) -> tuple[SourceRequest, ...]:
    """The requests of every source that applies, has a cap and has something to ask with."""
    if request.query.kind == "search":
        return _plan_search(request, limits)
    if request.query.kind == "similar":
        return _plan_similar(request, limits)
    return _plan_home(request, table, limits)


def query_source(
    request: SourceRequest, matcher: Matcher, table: ItemTable, popularity: Popularity, timeout_s: float
) -> Matches:
    """One source's matches. Raises what the engine raises (`reelrank.index_mappings.errors`)."""
    match request:
        case TextMatch():
            return matcher.match_text(request, timeout_s)
        case VectorMatch():
            return matcher.match_vector(request, timeout_s)
        case NeighbourMatch():
            return matcher.match_ids(request, timeout_s)
        case TableSource(source="fresh"):
            return _find_recent(request, table)
        case TableSource():
            return _find_popular(request, table, popularity)


def build_candidates(request: RankingRequest, matches: Sequence[Matches], table: ItemTable) -> Candidates:
    """Fused candidates without what the viewer watched (home and similar), the item itself (similar), and
    what the filters exclude: an item changed since its match is judged by the table again.
    """
    candidates = fuse(matches)
    query = request.query
    if query.kind != "search":
        candidates = _unwatched(candidates, request.viewer.seen, table)
    if query.similar_to:
        candidates = candidates.exclude(item_ids([query.similar_to]))
    if not query.filters.is_empty:
        rows = table.find_rows(candidates.ids)
        candidates = candidates.take(np.flatnonzero((rows < 0) | table.passes(query.filters, rows)))
    return _filled(candidates, request, table) if query.kind == "home" else candidates


def _plan_search(request: RankingRequest, limits: CandidateLimits) -> tuple[SourceRequest, ...]:
    query = request.query
    text = TextMatch("bm25", query.text or "", limits.bm25, query.filters)
    return ((text,) if limits.bm25 else ()) + _plan_knn(request, limits, (("text_knn", "text", "query"),), 0)


def _plan_similar(request: RankingRequest, limits: CandidateLimits) -> tuple[SourceRequest, ...]:
    query, more = request.query, 1 + min(len(request.viewer.seen), MAX_MORE_SIMILAR)
    spaces = (
        ("factors", "factors", "factors"),
        ("session", "session", "session"),
        ("text_knn", "text", "taste"),
    )
    seeds = (Neighbour(query.similar_to or "", 1.0),)
    neighbours = NeighbourMatch("neighbours", seeds, limits.neighbours + more - 1, query.filters)
    return _plan_knn(request, limits, spaces, more) + ((neighbours,) if limits.neighbours else ())


def _plan_home(
    request: RankingRequest, table: ItemTable, limits: CandidateLimits
) -> tuple[SourceRequest, ...]:
    filters, seen = request.query.filters, table.find_rows(request.viewer.seen)
    seen = seen[seen >= 0]
    more = min(len(seen), MAX_MORE)
    spaces = (
        ("factors", "factors", "factors"),
        ("session", "session", "session"),
        ("recent", "text", "taste"),
    )
    rows, weights = find_recent_watches(request.viewer, table)
    ids = table.ids[rows[:MAX_SEEDS]]
    seeds = tuple(Neighbour(i.decode(), float(w)) for i, w in zip(ids, weights, strict=False))
    neighbours = NeighbourMatch("neighbours", seeds, limits.neighbours + more, filters)
    listed = tuple(
        TableSource(source, limits.limit_of(source), filters, _today(request), seen)
        for source in ("popular", "fresh")
        if limits.limit_of(source)
    )
    return (
        _plan_knn(request, limits, spaces, more)
        + ((neighbours,) if seeds and limits.neighbours else ())
        + listed
    )


def _plan_knn(
    request: RankingRequest, limits: CandidateLimits, spaces: Sequence[tuple[str, str, str]], extra: int
) -> tuple[SourceRequest, ...]:
    """kNN requests for (source, vector field, name of the moment's vector); `more` are dropped later."""
    return tuple(
        VectorMatch(
            source, field, request.vectors[name], limits.limit_of(source) + extra, request.query.filters
        )
        for source, field, name in spaces
        if name in request.vectors and limits.limit_of(source)
    )


def _today(moment: RankingRequest) -> int:
    return moment.query.context.at_ms // DAY_MS


def _unwatched(candidates: Candidates, seen: ItemIds, table: ItemTable) -> Candidates:
    """Compares rows, which costs less than ids; ids only of what the table does not hold yet."""
    if not len(seen):
        return candidates
    rows = table.find_rows(candidates.ids)
    seen_rows = table.find_rows(seen)
    is_watched = (rows >= 0) & _mask(table, seen_rows[seen_rows >= 0])[rows]
    new = np.flatnonzero(rows < 0)
    is_watched[new] = np.isin(candidates.ids[new], seen)
    return candidates.take(np.flatnonzero(~is_watched))


def _filled(candidates: Candidates, moment: RankingRequest, table: ItemTable) -> Candidates:
    """With items that no source found, last, when a viewer watched so much of what they find that the rest
    does not fill a page."""
    lacking = moment.query.limit - len(candidates)
    if lacking <= 0 or not len(moment.viewer.seen):
        return candidates
    known = table.find_rows(np.concatenate([candidates.ids, moment.viewer.seen]))
    rest = np.flatnonzero(~_mask(table, known[known >= 0]))
    listing = TableSource("rest", lacking, moment.query.filters, _today(moment), rest[:0])
    ids = table.ids[rest[_is_published(listing, table, rest)][:lacking]]
    return candidates.with_unranked(ids)


def _mask(table: ItemTable, rows: Rows) -> NDArray[np.bool_]:
    """Of every row of the table, at least one, whether it is among these."""
    mask = np.zeros(max(len(table), 1), bool)
    mask[rows] = True
    return mask


def _find_popular(request: TableSource, table: ItemTable, popularity: Popularity) -> Matches:
    rows, shares = popularity.find_most_watched(request.limit, _allowed(request, table))
    return Matches(request.source, table.ids[rows], shares)


def _find_recent(request: TableSource, table: ItemTable) -> Matches:
    rows = find_newest(table, request.limit, _allowed(request, table))
    return Matches(request.source, table.ids[rows], table.published_day[rows].astype(np.float32))


def _allowed(listing: TableSource, table: ItemTable) -> Callable[[Rows], NDArray[np.bool_]]:
    """Which rows may be listed: published, and not watched by the viewer."""
    watched = _mask(table, listing.seen)
    return lambda rows: _is_published(listing, table, rows) & ~watched[rows]


def _is_published(request: TableSource, table: ItemTable, rows: Rows) -> NDArray[np.bool_]:
    """Which rows [n] pass the filters and are published, as far as is known, by the day of the request."""
    return table.passes(request.filters, rows) & (table.published_day[rows] <= request.today)
