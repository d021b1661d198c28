"""Candidate sources: which of them a request asks, for how many candidates, and how each is answered."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reelrank.index_mappings.engine import Matcher, NeighbourMatch, TextMatch, VectorMatch
from reelrank.index_mappings.errors import Partial
from reelrank.index_mappings.item import Neighbour
from reelrank.index_mappings.match import Matches, encode_item_ids, separate_bonus
from reelrank.index_mappings.query import Filters
from reelrank.ranking.items.names.typed_query import TypedQuery
from reelrank.ranking.items.popularity.counters import Popularity
from reelrank.ranking.items.popularity.half_lives import COMPARED_DAYS
from reelrank.ranking.items.table import ItemTable, Rows, build_row_mask, find_published
from reelrank.ranking.policies.config import CandidateLimits, RankingConfig
from reelrank.ranking.retrieval.recency import find_newest
from reelrank.ranking.viewers.request import RankingRequest

MAX_SEEDS = 60
"""How many of the newest watches ask for their neighbours; a server takes 62 at most, with 16 levels each."""

MAX_EXTRA, MAX_EXTRA_SIMILAR = 500, 200
"""Most items that a source is asked for beyond its limit, to make up for watched ones that are dropped.
Engines return a few thousand at most; the table fills the home page of viewers who watched more."""

SORTED_LIMIT = 1_000
"""Most items of a list with a stated order: fifty pages of 20, which few people read to the end."""
ALL_WORDS_BONUS = 1024.0
"""Above the BM25 scores of queries that people type, so that it tells which items have every word; float32
keeps four decimals of the score beside it. `_match_text` takes it off again."""

Spaces = Sequence[tuple[str, str, str]]
"""Source, vector field, and name of the request's vector that is searched with."""


@dataclass(frozen=True, slots=True, eq=False)
class TableSource:
    """What the item table alone can answer: the most popular or the newest items, or the first by title.

    today: days since 1970; items published later are left out. seen: rows that the viewer watched, left out.
    half_life_days: of the popularity that counts.
    """

    source: str
    limit: int
    filters: Filters
    today: int
    seen: Rows
    half_life_days: float


@dataclass(frozen=True, slots=True, eq=False)
class TitleSource:
    """What a search names, found in the title index: whole titles, people, beginnings of titles, series."""

    source: str
    limit: int
    filters: Filters
    typed: TypedQuery


SourceRequest = TextMatch | VectorMatch | NeighbourMatch | TableSource | TitleSource
SORTED_SOURCES = {"newest": "fresh", "popular": "popular", "title": "title"}
"""The source that lists a home page in a stated order."""
TITLE_SCORE, PERSON_SCORE, OTHERS_SCORE = 3.0, 2.0, 1.5
BEGINNING_SCORE, LAST_BEGINNING_SCORE, SERIES_SCORE = 1.0, 0.5, 0.25
"""Levels of a match in the title index. Items of the people that the query names are above further items of
theirs and of their namesakes. Of titles that begin with the query the shortest scores 1, the last 0.5; other
films of the series that it names, 0.25. Within a level the policies and the model decide."""


def plan_sources(
    request: RankingRequest, table: ItemTable, config: RankingConfig
) -> tuple[SourceRequest, ...]:
    """Returns a request for every source that applies, has a limit above 0 and has something to look up."""
    if request.query.kind == "search":
        return tuple(_plan_search(request, config.limits))
    if request.query.kind == "similar":
        return tuple(_plan_similar(request, config.limits))
    return tuple(_plan_home(request, table, config))


def query_source(
    request: SourceRequest, matcher: Matcher, table: ItemTable, popularity: Popularity, timeout_s: float
) -> Matches:
    """Returns one source's matches. Raises what the engine raises (`reelrank.index_mappings.errors`)."""
    match request:
        case TextMatch():
            return _match_text(request, matcher, timeout_s)
        case VectorMatch():
            return matcher.match_vector(request, timeout_s)
        case NeighbourMatch():
            return matcher.match_ids(request, timeout_s)
        case TitleSource():
            return _find_named(request, table, popularity)
        case TableSource():
            return _list_items(request, table, popularity)


def _match_text(request: TextMatch, matcher: Matcher, timeout_s: float) -> Matches:
    """Returns the matches with their BM25 scores, and whether they have every word where that was asked."""
    bonus = request.all_words_bonus
    if not bonus:
        return matcher.match_text(request, timeout_s)
    try:
        return separate_bonus(matcher.match_text(request, timeout_s), bonus)
    except Partial as partial:
        raise Partial(str(partial), separate_bonus(partial.partial_result, bonus)) from partial


def _plan_search(request: RankingRequest, limits: CandidateLimits) -> list[SourceRequest]:
    query, extra = request.query, len(request.query.exclude)
    limit = limits.bm25 if query.sort == "relevance" else SORTED_LIMIT
    text = TextMatch("bm25", request.search_text, limit + extra, query.filters)
    if request.typed is not None:
        text = replace(text, expansion=request.typed.expansion)
    if query.sort != "relevance" or len(text.words.typed) > 1:  # one word: whatever matches has it
        text = replace(text, all_words_bonus=ALL_WORDS_BONUS)
    knn = _plan_knn(request, limits, (("text_knn", "text", "query"),), extra)
    return [*_plan_titles(request, limits), *([text] if limits.bm25 else []), *knn]


def _plan_titles(request: RankingRequest, limits: CandidateLimits) -> list[TitleSource]:
    typed = request.typed
    if typed is None or not limits.title or not typed.names_anything:
        return []
    return [TitleSource("title", limits.title, request.query.filters, typed)]


def _plan_similar(request: RankingRequest, limits: CandidateLimits) -> list[SourceRequest]:
    query = request.query
    extra = min(len(request.viewer.seen), MAX_EXTRA_SIMILAR) + len(query.exclude)
    spaces = (
        ("factors", "factors", "factors"),
        ("session", "session", "session"),
        ("text_knn", "text", "taste"),
    )
    seeds = (Neighbour(query.similar_to or "", 1.0),)
    neighbours = NeighbourMatch("neighbours", seeds, limits.neighbours + extra, query.filters)
    knn = _plan_knn(request, limits, spaces, extra + 1)  # one more: the item itself is nearest, and dropped
    return [*knn, *([neighbours] if limits.neighbours else [])]


def _plan_home(request: RankingRequest, table: ItemTable, config: RankingConfig) -> list[SourceRequest]:
    limits, half_life_days = config.limits, config.popular_half_life_days
    filters, recent, seen = request.query.filters, request.taste.preferred, request.seen_rows
    if request.query.exclude:
        excluded = table.find_rows(encode_item_ids(request.query.exclude))
        seen = np.concatenate([seen, excluded[excluded >= 0]])
    if request.query.sort != "relevance":
        source = SORTED_SOURCES[request.query.sort]
        return [TableSource(source, SORTED_LIMIT, filters, request.today, seen, COMPARED_DAYS)]
    extra = min(len(seen), MAX_EXTRA)
    spaces = (
        ("factors", "factors", "factors"),
        ("session", "session", "session"),
        ("recent", "text", "taste"),
    )
    pairs = zip(table.ids[recent.rows[:MAX_SEEDS]].tolist(), recent.weights.tolist(), strict=False)
    seeds = tuple(Neighbour(item_id.decode(), weight) for item_id, weight in pairs)
    neighbours = NeighbourMatch("neighbours", seeds, limits.neighbours + extra, filters)
    listed = [
        TableSource(source, limits.limit_of(source), filters, request.today, seen, half_life_days)
        for source in ("popular", "fresh")
        if limits.limit_of(source)
    ]
    knn = _plan_knn(request, limits, spaces, extra)
    return [*knn, *([neighbours] if seeds and limits.neighbours else []), *listed]


def _plan_knn(
    request: RankingRequest, limits: CandidateLimits, spaces: Spaces, extra: int
) -> list[VectorMatch]:
    """Plans the vector searches. extra: requested beyond the limit, because so many are dropped later."""
    filters = request.query.filters
    return [
        VectorMatch(source, field, request.vectors[name], limits.limit_of(source) + extra, filters)
        for source, field, name in spaces
        if name in request.vectors and limits.limit_of(source)
    ]


def _list_items(request: TableSource, table: ItemTable, popularity: Popularity) -> Matches:
    if request.source == "fresh":
        return _find_newest(request, table)
    if request.source == "title":
        return _find_first_titles(request, table)
    return _find_popular(request, table, popularity)


def _find_popular(request: TableSource, table: ItemTable, popularity: Popularity) -> Matches:
    rows, shares = popularity.find_most_watched(
        request.limit, _build_row_filter(request, table), request.half_life_days
    )
    return Matches(request.source, table.ids[rows], shares)


def _find_named(request: TitleSource, table: ItemTable, popularity: Popularity) -> Matches:
    """Finds named items, best level first; an item that is found at several levels keeps its best."""
    typed = request.typed
    watches = popularity.count_watches(typed.people.namesakes.rows)
    people, others = (
        _keep_most_watched(found[table.passes(request.filters, found)], request, popularity)
        for found in typed.people.choose(watches, table.year)
    )
    rows = np.concatenate([typed.titles, people, others, typed.beginnings, typed.series])
    scores = np.concatenate(
        [
            np.full(len(typed.titles), TITLE_SCORE),
            np.full(len(people), PERSON_SCORE),
            np.full(len(others), OTHERS_SCORE),
            np.linspace(BEGINNING_SCORE, LAST_BEGINNING_SCORE, len(typed.beginnings)),
            np.full(len(typed.series), SERIES_SCORE),
        ]
    )
    _, first = np.unique(rows, return_index=True)
    first = np.sort(first)
    first = first[table.passes(request.filters, rows[first])][: request.limit]
    return Matches(request.source, table.ids[rows[first]], scores[first].astype(np.float32))


def _keep_most_watched(rows: Rows, request: TitleSource, popularity: Popularity) -> Rows:
    """Returns as many rows as are asked for, in their order: a person may have more items than that."""
    if len(rows) <= request.limit:
        return rows
    best = np.argsort(-popularity.count_watches(rows), kind="stable")[: request.limit]
    return rows[np.sort(best)]


def _find_newest(request: TableSource, table: ItemTable) -> Matches:
    rows = find_newest(table, request.limit, _build_row_filter(request, table))
    return Matches(request.source, table.ids[rows], table.published_day[rows].astype(np.float32))


def _find_first_titles(request: TableSource, table: ItemTable) -> Matches:
    rows = table.titles.text_rows.astype(np.intp)
    rows = rows[_build_row_filter(request, table)(rows)][: request.limit]
    return Matches(request.source, table.ids[rows], -np.arange(len(rows), dtype=np.float32))


def _build_row_filter(request: TableSource, table: ItemTable) -> Callable[[Rows], NDArray[np.bool_]]:
    """Returns which rows may be listed: published, and not watched by the viewer."""
    watched = build_row_mask(table, request.seen)
    return lambda rows: find_published(table, rows, request.filters, request.today) & ~watched[rows]
