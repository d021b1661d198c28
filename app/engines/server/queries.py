"""Candidate requests as bodies of a search: ids and scores come back, never documents."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from index_mappings.engine import NeighbourMatch, TextMatch
from index_mappings.errors import BadRequest, Unavailable
from index_mappings.fields import NEIGHBOUR_LEVELS, level_weight
from index_mappings.mapping import neighbour_term
from index_mappings.match import ID_DTYPE, ItemIds, Matches, best_first
from index_mappings.query import Filters

Body = dict[str, Any]
SPARE_HITS = 20
"""Asked for above the limit, so that ties at the edge can be put in the order of ids."""
MOST_HITS = 10_000  # index.max_result_window of every server.
MOST_SEEDS = 1000 // NEIGHBOUR_LEVELS
"""indices.query.bool.max_clause_count is 1,024 on OpenSearch; each seed asks for every level."""


def text_query(request: TextMatch) -> Body:
    should = [
        {"match": {field: {"query": request.text, "boost": weight}}} for field, weight in request.weights
    ]
    return _bool(should, request.filters)


def neighbour_query(request: NeighbourMatch) -> Body:
    """Raises BadRequest when there are more seeds than any server takes."""
    if len(request.seeds) > MOST_SEEDS:
        raise BadRequest(
            f"{len(request.seeds)} seeds are more than the {MOST_SEEDS} that one request may hold"
        )
    should = [
        _weighted(neighbour_term(seed.id, level), seed.weight * level_weight(level))
        for seed in request.seeds
        for level in range(1, NEIGHBOUR_LEVELS + 1)
    ]
    return _bool(should, request.filters)


def conditions(filters: Filters) -> list[Body]:
    """Every condition that a result must meet; they score nothing."""
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
        *(
            {"range": {field: {"gte": low, "lte": high}}}
            for field, (low, high) in ranges.items()
            if (low, high) != (None, None)
        ),
    ]


def hits_asked(limit: int) -> int:
    return min(limit + SPARE_HITS, MOST_HITS)


def candidates_body(limit: int, query: Mapping[str, Any]) -> Body:
    """`query`: the parts of the body that say what is matched.

    The id comes from doc values: reading stored fields would decompress whole documents.
    """
    return {
        "size": hits_asked(limit),
        "_source": False,
        "stored_fields": "_none_",
        "docvalue_fields": ["id"],
        "track_total_hits": False,
        **query,
    }


def matches_of(source: str, hits: list[dict[str, Any]], limit: int) -> Matches:
    ids = _ids(hits)
    return best_first(source, ids, np.array([hit["_score"] for hit in hits], np.float32), limit)


def cosine_matches(source: str, hits: list[dict[str, Any]], limit: int) -> Matches:
    """Every server scores cosine as (1 + cosine) / 2."""
    ids = _ids(hits)
    scores = 2 * np.array([hit["_score"] for hit in hits], np.float32) - 1
    return best_first(source, ids, scores, limit)


def _ids(hits: list[dict[str, Any]]) -> ItemIds:
    """Raises Unavailable on hits of an index that was made otherwise."""
    try:
        return np.array([hit["fields"]["id"][0] for hit in hits], dtype=ID_DTYPE)
    except KeyError as missing:
        raise Unavailable(
            "what serves holds documents without an id field; load the items again"
        ) from missing


def _weighted(term: str, weight: float) -> Body:
    return {"term": {"neighbours": {"value": term, "boost": weight}}}


def _bool(should: list[Body], filters: Filters) -> Body:
    clause: Body = {"should": should, "minimum_should_match": 1}
    if not filters.is_empty:
        clause["filter"] = conditions(filters)
    return {"query": {"bool": clause}}
