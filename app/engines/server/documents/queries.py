"""Builds search bodies of candidate requests. They return ids and scores, never documents."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from reelrank.index_mappings.engine import NeighbourMatch, TextMatch
from reelrank.index_mappings.errors import BadRequest, Unavailable
from reelrank.index_mappings.fields import NAME_FIELDS, NEIGHBOUR_LEVELS, TITLE, to_neighbour_weight
from reelrank.index_mappings.mapping import format_neighbour_term, name_words_property
from reelrank.index_mappings.match import ID_DTYPE, ItemIds, Matches, select_best_matches
from reelrank.index_mappings.query import Filters
from reelrank.index_mappings.text import fold_name

Body = dict[str, Any]
EXTRA_HITS = 20
"""Hits requested beyond the limit, so that ties at the limit can be sorted by id."""
MAX_HITS = 10_000  # index.max_result_window of every server.
MAX_SEEDS = 1000 // NEIGHBOUR_LEVELS
"""indices.query.bool.max_clause_count is 1,024 on OpenSearch; each seed has a clause per level."""


def build_text_query(request: TextMatch) -> Body:
    """Builds a query for any content word in any field. Stop words beside them count in the title only."""
    words = request.words
    content = _build_word_clauses(words.content, request.weights)
    bonus = _build_bonus_clauses(words.typed, request, name_words_property)
    if not words.stop and not bonus:
        return _build_bool_query(content, request.filters)
    matched = {"bool": {"should": content, "minimum_should_match": 1}}
    title = [pair for pair in request.weights if pair[0] == TITLE]
    stop = _build_word_clauses(words.stop, title) if words.stop else []
    clause: Body = {"must": [matched], "should": [*stop, *bonus]}
    if not request.filters.is_empty:
        clause["filter"] = build_filter_clauses(request.filters)
    return {"query": {"bool": clause}}


def build_unprepared_text_query(request: TextMatch) -> Body:
    """Builds the query for an index of build 05eedc69, which analyses text as it is."""
    text = " ".join((request.text, *request.expansion))
    should = [{"match": {field: {"query": text, "boost": weight}}} for field, weight in request.weights]
    bonus = _build_bonus_clauses(request.words.typed, request, str)
    return _build_bool_query([*should, *bonus], request.filters)


def build_neighbour_query(request: NeighbourMatch) -> Body:
    """Builds a query for items near the seeds. Raises BadRequest for more seeds than a server accepts."""
    if len(request.seeds) > MAX_SEEDS:
        raise BadRequest(
            f"{len(request.seeds)} seed items are too many; a request may have at most {MAX_SEEDS}",
            code="too_many_seeds",
        )
    should = [
        _build_weighted_term(format_neighbour_term(seed.id, level), seed.weight * to_neighbour_weight(level))
        for seed in request.seeds
        for level in range(1, NEIGHBOUR_LEVELS + 1)
    ]
    return _build_bool_query(should, request.filters)


def build_filter_clauses(filters: Filters) -> list[Body]:
    """Builds the filter clauses; they do not affect the score."""
    keys = {
        "genre_key": filters.genres,
        "language_key": filters.languages,
        "country_key": filters.countries,
    }
    ranges = {
        "year": (filters.year_min, filters.year_max),
        "duration_s": (filters.duration_min_s, filters.duration_max_s),
    }
    return [
        *({"terms": {key: [name.casefold() for name in names]}} for key, names in keys.items() if names),
        *_build_name_clauses("people", filters.people),
        *_build_name_clauses("tags", filters.tags),
        *(
            {"range": {field: {"gte": low, "lte": high}}}
            for field, (low, high) in ranges.items()
            if (low, high) != (None, None)
        ),
    ]


def _build_name_clauses(field: str, names: Sequence[str]) -> list[Body]:
    """Builds the clause for documents that have one of these names, if there are any.

    Indices of earlier builds have no folded names: there, accents count.
    """
    if not names:
        return []
    spelt = [{"term": {f"{field}.keyword": {"value": name, "case_insensitive": True}}} for name in names]
    folded = {"terms": {NAME_FIELDS[field]: [fold_name(name) for name in names]}}
    return [{"bool": {"should": [folded, *spelt], "minimum_should_match": 1}}]


def compute_hit_limit(limit: int) -> int:
    return min(limit + EXTRA_HITS, MAX_HITS)


def build_candidates_body(limit: int, query: Mapping[str, Any]) -> Body:
    """Builds the body of a candidate search around a `query` or `knn` clause.

    Ids come from doc values: reading stored fields would decompress whole documents.
    """
    return {
        "size": compute_hit_limit(limit),
        "_source": False,
        "stored_fields": "_none_",
        "docvalue_fields": ["id"],
        "track_total_hits": False,
        **query,
    }


def decode_matches(source: str, hits: list[dict[str, Any]], limit: int) -> Matches:
    ids = _decode_ids(hits)
    return select_best_matches(source, ids, np.array([hit["_score"] for hit in hits], np.float32), limit)


def decode_cosine_matches(source: str, hits: list[dict[str, Any]], limit: int) -> Matches:
    """Converts scores back to cosines: every server scores (1 + cosine) / 2."""
    ids = _decode_ids(hits)
    scores = 2 * np.array([hit["_score"] for hit in hits], np.float32) - 1
    return select_best_matches(source, ids, scores, limit)


def _decode_ids(hits: list[dict[str, Any]]) -> ItemIds:
    """Reads the ids of hits. Raises Unavailable if the index was not created by reelrank."""
    try:
        return np.array([hit["fields"]["id"][0] for hit in hits], dtype=ID_DTYPE)
    except KeyError as missing:
        raise Unavailable(
            "the serving index has documents without an id field; load the items again",
            code="item_ids_missing",
        ) from missing


def _build_word_clauses(words: Sequence[str], weights: Sequence[tuple[str, float]]) -> list[Body]:
    text = " ".join(words)
    return [
        {"match": {name_words_property(field): {"query": text, "boost": weight}}} for field, weight in weights
    ]


def _build_bonus_clauses(
    words: Sequence[str], request: TextMatch, name_property: Callable[[str], str]
) -> list[Body]:
    """Builds the clause that adds the bonus to documents that have every word; empty without a bonus."""
    if not request.all_words_bonus:
        return []
    properties = [name_property(field) for field, _ in request.weights]
    word_queries = [{"multi_match": {"query": word, "fields": properties}} for word in words]
    return [
        {"constant_score": {"filter": {"bool": {"filter": word_queries}}, "boost": request.all_words_bonus}}
    ]


def _build_weighted_term(term: str, weight: float) -> Body:
    return {"term": {"neighbours": {"value": term, "boost": weight}}}


def _build_bool_query(should: list[Body], filters: Filters) -> Body:
    clause: Body = {"should": should, "minimum_should_match": 1}
    if not filters.is_empty:
        clause["filter"] = build_filter_clauses(filters)
    return {"query": {"bool": clause}}
