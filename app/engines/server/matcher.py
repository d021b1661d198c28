"""Matching on a cluster: searches of one index, or of the alias of the serving version."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from reelrank.app.engines.server.documents.live_changes import describe_no_serving_version
from reelrank.app.engines.server.documents.queries import (
    Body,
    build_candidates_body,
    build_filter_clauses,
    build_neighbour_query,
    build_text_query,
    build_unprepared_text_query,
    compute_hit_limit,
    decode_cosine_matches,
    decode_matches,
)
from reelrank.app.engines.server.transport.cluster import Cluster
from reelrank.index_mappings.engine import NeighbourMatch, TextMatch, VectorMatch
from reelrank.index_mappings.errors import BadRequest, NotFound, Partial, Unavailable
from reelrank.index_mappings.fields import VECTOR_FIELDS
from reelrank.index_mappings.match import Matches, build_empty_matches

MatchRequest = TextMatch | VectorMatch | NeighbourMatch
MatchDecoder = Callable[[str, list[dict[str, Any]], int], Matches]
"""Converts the hits of a source to at most `limit` matches."""


class Dialect(Protocol):
    """Requests that Elasticsearch and OpenSearch write differently."""

    def build_items_index(self) -> Mapping[str, Any]:
        """Builds settings and mappings of an index of items."""
        ...

    def build_knn_query(self, request: VectorMatch, k: int, filters: list[Body]) -> Body:
        """Builds the part of a search body that requests the k nearest vectors."""
        ...


@dataclass(frozen=True, slots=True)
class ServerMatcher:
    """Searches `target`, the name of an index or an alias.

    has_words: whether its text was prepared (`reelrank.index_mappings.text`); an earlier build's was not.
    """

    cluster: Cluster
    dialect: Dialect
    target: str
    has_words: bool = True

    def match_text(self, request: TextMatch, timeout_s: float) -> Matches:
        query = build_text_query(request) if self.has_words else build_unprepared_text_query(request)
        return self._match(request, query, timeout_s, decode_matches)

    def match_vector(self, request: VectorMatch, timeout_s: float) -> Matches:
        field = VECTOR_FIELDS.get(request.field)
        if field is None or request.vector.shape != (field.size,):
            raise BadRequest(
                f"no vector field {request.field!r} with vectors of shape {request.vector.shape}",
                code="unknown_vector_field",
            )
        if not request.vector.any():
            return build_empty_matches(request.source)
        query = self.dialect.build_knn_query(
            request, compute_hit_limit(request.limit), build_filter_clauses(request.filters)
        )
        return self._match(request, query, timeout_s, decode_cosine_matches)

    def match_ids(self, request: NeighbourMatch, timeout_s: float) -> Matches:
        if not request.seeds:
            return build_empty_matches(request.source)
        return self._match(request, build_neighbour_query(request), timeout_s, decode_matches)

    def _match(self, request: MatchRequest, query: Body, timeout_s: float, decode: MatchDecoder) -> Matches:
        body = build_candidates_body(request.limit, query)
        try:
            hits = self.cluster.search(self.target, body, timeout_s)
        except NotFound as missing:
            raise Unavailable(
                describe_no_serving_version(self.target, self.cluster.name), code="no_index_version"
            ) from missing
        except Partial as partial:
            matches = decode(request.source, partial.partial_result["hits"]["hits"], request.limit)
            raise Partial(str(partial), matches) from partial
        return decode(request.source, hits, request.limit)
