"""The vectors of a request: unit vectors for its words and for the viewer's past, one a vector space."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from reelrank.index_mappings.encoder import TextEncoder
from reelrank.index_mappings.item import FloatVector
from reelrank.index_mappings.match import encode_item_ids
from reelrank.index_mappings.query import Query
from reelrank.ranking.distinct import sort_distinct
from reelrank.ranking.items.fold_in import fold_in
from reelrank.ranking.items.names.people_index import NO_ROWS
from reelrank.ranking.items.names.title_index import MIN_PREFIX
from reelrank.ranking.items.names.title_keys import compact_title, split_year
from reelrank.ranking.items.names.typed_people import TypedPeople
from reelrank.ranking.items.names.typed_query import TypedQuery, read_query
from reelrank.ranking.items.spelling.synonyms import NO_SYNONYMS, Synonyms
from reelrank.ranking.items.spelling.typed_group import TypedGroup, find_group, find_years
from reelrank.ranking.items.table import ItemTable, Rows
from reelrank.ranking.viewers.history import Viewer
from reelrank.ranking.viewers.request import RankingRequest
from reelrank.ranking.viewers.taste import Preferences, read_taste

SESSION_WATCHES = 10
"""A session is short: only the newest watches represent it, as in Store2Vec."""
REJECTED_ITEMS = 10
"""Newest rejected items that are folded in, as many as `signals.vectors` compares."""
PAST_QUERIES = 5
"""Newest searches that the vector of past queries averages. A choice; no measurement is recorded."""
MAX_BEGINNINGS = 50
"""Titles that begin with the typed text: two and a half pages of 20. A choice, not a finding."""


def build_request(
    query: Query,
    viewer: Viewer,
    table: ItemTable,
    encoder: TextEncoder,
    synonyms: Synonyms = NO_SYNONYMS,
) -> RankingRequest:
    """Builds everything about a request that needs no candidate. An action counts at once."""
    taste = read_taste(viewer, table)
    query, typed = _read_text(query, table, synonyms)
    vectors = _compute_text_vectors((typed.searched or typed.spelling) if typed else "", viewer, encoder)
    preferred = _find_item(query.similar_to, table) if query.similar_to else taste.preferred
    if len(preferred.rows):
        vectors |= _compute_history_vectors(table, preferred)
    vectors["rejected"] = _fold_in_rows(table, taste.rejected[:REJECTED_ITEMS])
    seen_rows = table.find_rows(viewer.seen)
    return RankingRequest(
        query,
        viewer,
        {name: v for name, v in vectors.items() if v.any()},
        taste,
        seen_rows[seen_rows >= 0],
        typed,
    )


def _read_text(query: Query, table: ItemTable, synonyms: Synonyms) -> tuple[Query, TypedQuery | None]:
    """Reads the text of a search. Years that it asks for, and that no title has, become a filter."""
    if not query.text:
        return query, None
    typed = read_query(table.titles, query.text, table.year, MAX_BEGINNINGS, synonyms)
    filters = query.filters
    if typed.names_anything:
        return query, typed
    years = None
    if filters.year_min is None and filters.year_max is None:
        years = find_years(query.text, table.genres, table.year)
    if years is None:
        group = find_group(query.text, table.genres, table.languages)
        if group and group.language:
            return query, _name_group(query.text, group, table)
        return query, replace(typed, beginnings=_find_part_of_year(typed.spelling, table))
    filters = replace(filters, year_min=years.first, year_max=years.last)
    read = read_query(table.titles, years.words, table.year, MAX_BEGINNINGS, synonyms)
    if group := find_group(years.words, table.genres, table.languages):
        read = _name_group(years.words, group, table)
    spelling = query.text if read.spelling == years.words else f"{read.spelling} {years.written}"
    return replace(query, filters=filters), replace(read, spelling=spelling, searched=read.spelling)


def _name_group(text: str, group: TypedGroup, table: ItemTable) -> TypedQuery:
    """Returns a text that names the items of a group, by their first language; filters choose among them."""
    is_named = (table.genre_bits & np.uint64(1 << table.genres.index(group.genre))) != 0
    if group.language:
        is_named &= table.language == table.languages.index(group.language)
    return TypedQuery(text, people=TypedPeople(np.flatnonzero(is_named)))


def _find_part_of_year(text: str, table: ItemTable) -> Rows:
    """Returns the items of the year at the end of a text whose title holds the rest from a word on."""
    part, year = split_year(text)
    compact = compact_title(part)
    if year is None or len(compact) < MIN_PREFIX:
        return NO_ROWS
    titles = table.suggestions.titles
    rows = sort_distinct(titles.owners[titles.find(compact)].astype(np.intp))
    return np.asarray(rows[table.year[rows] == year][:MAX_BEGINNINGS], np.intp)


def _find_item(item_id: str, table: ItemTable) -> Preferences:
    """Returns the item as if it were the only preference; nothing when the table lacks it."""
    rows = table.find_rows(encode_item_ids([item_id]))
    rows = rows[rows >= 0]
    return Preferences(rows, np.ones(len(rows), np.float32))


def _compute_text_vectors(text: str, viewer: Viewer, encoder: TextEncoder) -> dict[str, FloatVector]:
    vectors: dict[str, FloatVector] = {}
    if text:
        vectors["query"] = encoder.encode([text])[0]
    if viewer.queries:
        past = encoder.encode(viewer.queries[:PAST_QUERIES])
        vectors["past_queries"] = _compute_mean(past, np.ones(len(past), np.float32))
    return vectors


def _compute_history_vectors(table: ItemTable, preferred: Preferences) -> dict[str, FloatVector]:
    rows, weights = preferred.rows, preferred.weights
    return {
        "session": _compute_mean(table.vectors["session"][rows[:SESSION_WATCHES]], weights[:SESSION_WATCHES]),
        "taste": _compute_mean(table.vectors["text"][rows], weights),
        "factors": _fold_in_rows(table, rows, weights),
    }


def _fold_in_rows(table: ItemTable, rows: Rows, weights: NDArray[np.float32] | None = None) -> FloatVector:
    """Folds in items, all of weight 1 by default; zeros where nothing was learned of any."""
    factors = table.vectors["factors"][rows]
    learned = factors.any(axis=1)
    if table.fold_in is None or not learned.any():
        return np.zeros(factors.shape[1], np.float32)
    given = np.ones(len(rows), np.float32) if weights is None else weights
    return fold_in(table.fold_in, factors[learned], given[learned])


def _compute_mean(vectors: NDArray[np.float32], weights: NDArray[np.float32]) -> FloatVector:
    """Returns the unit vector of a weighted mean, summed in float64: the order of the sum does not matter."""
    total = weights.astype(np.float64) @ vectors.astype(np.float64)
    length = float(np.linalg.norm(total))
    return np.asarray(total / length if length > 0 else total, np.float32)
