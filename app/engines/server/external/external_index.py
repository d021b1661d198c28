"""An external index, which reelrank searches and reads but never writes."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from reelrank.app.engines.server.documents.queries import Body, compute_hit_limit
from reelrank.app.engines.server.external.external_fields import ExternalFields
from reelrank.app.engines.server.transport.cluster import Cluster, Reply
from reelrank.index_mappings.engine import TextMatch
from reelrank.index_mappings.errors import BadRequest, NotFound, Partial, Unavailable
from reelrank.index_mappings.item import ID_PATTERN, Item
from reelrank.index_mappings.match import Matches, encode_item_ids, select_best_matches
from reelrank.index_mappings.query import Filters

PAGE_SIZE = 1000
SCROLL_TTL = "5m"
"""How long the server keeps a scroll open between two pages."""
KEYWORD_FIELDS = ("genres", "languages", "countries")


class ExternalIndex:
    """An existing index, read-only.

    index: a name, an alias or a pattern. The analysers and similarity of the index apply.
    """

    def __init__(self, cluster: Cluster, index: str, fields: ExternalFields) -> None:
        self.cluster = cluster
        self.index = index
        self.fields = fields

    def match_text(self, request: TextMatch, timeout_s: float) -> Matches:
        """Scores documents by the sum over mapped text fields of weight x field score."""
        text = " ".join((request.text, *request.expansion))
        should = [
            {"match": {self.fields.names[field]: {"query": text, "boost": weight, "lenient": True}}}
            for field, weight in request.weights
            if field in self.fields.names
        ]
        if request.all_words_bonus:
            should.append(self._build_bonus_clause(request))
        clause: Body = {
            "should": should,
            "minimum_should_match": 1,
            "filter": self._build_filter_clauses(request.filters),
        }
        body = {"size": compute_hit_limit(request.limit), "query": {"bool": clause}, **self._build_ids_only()}
        try:
            return self._decode_matches(request, self._search(body, timeout_s))
        except Partial as partial:
            matches = self._decode_matches(request, partial.partial_result["hits"]["hits"])
            raise Partial(str(partial), matches) from partial

    def _build_bonus_clause(self, request: TextMatch) -> Body:
        """Builds the clause that adds the bonus to documents that have every word in some mapped field."""
        properties = [self.fields.names[field] for field, _ in request.weights if field in self.fields.names]
        word_queries = [
            {"multi_match": {"query": word, "fields": properties, "lenient": True}}
            for word in request.words.typed
        ]
        return {
            "constant_score": {"filter": {"bool": {"filter": word_queries}}, "boost": request.all_words_bonus}
        }

    def fetch(self, ids: Sequence[str], timeout_s: float) -> list[Item | None]:
        if not ids:
            return []
        id_field = self.fields.names.get("id")
        query = {"terms": {id_field: list(ids)}} if id_field else {"ids": {"values": list(ids)}}
        body = {"size": len(ids), "query": query, "_source": self.fields.list_source_fields()}
        try:
            return self._decode_items(ids, self._search(body, timeout_s))
        except Partial as partial:
            raise Partial(
                str(partial), self._decode_items(ids, partial.partial_result["hits"]["hits"])
            ) from partial

    def scan_items(self) -> Iterator[list[Item]]:
        """Yields all items as of the first page. Skips documents that cannot be items.

        Raises Partial when a shard does not answer: its items would look deleted.
        """
        body = {"size": PAGE_SIZE, "sort": ["_doc"], "_source": self.fields.list_source_fields()}
        reply = self._request_or_raise(f"/{self.index}/_search?scroll={SCROLL_TTL}", body)
        while hits := reply["hits"]["hits"]:
            items = (self.fields.decode_item(hit["_id"], hit["_source"]) for hit in hits)
            yield [item for item in items if item is not None]
            reply = self._request_or_raise(
                "/_search/scroll", {"scroll": SCROLL_TTL, "scroll_id": reply["_scroll_id"]}
            )
        self.cluster.request("DELETE", "/_search/scroll", {"scroll_id": reply["_scroll_id"]})

    def _decode_matches(self, request: TextMatch, hits: list[Reply]) -> Matches:
        scores = {self._read_id(hit): hit["_score"] for hit in hits}
        valid = {item_id: score for item_id, score in scores.items() if ID_PATTERN.fullmatch(item_id)}
        columns = encode_item_ids(valid), np.fromiter(valid.values(), np.float32, len(valid))
        return select_best_matches(request.source, *columns, request.limit)

    def _decode_items(self, ids: Sequence[str], hits: list[Reply]) -> list[Item | None]:
        items = (self.fields.decode_item(hit["_id"], hit["_source"]) for hit in hits)
        found = {item.id: item for item in items if item is not None}
        return [found.get(item_id) for item_id in ids]

    def _request_or_raise(self, path: str, body: Body) -> Any:
        try:
            reply = self.cluster.request_or_raise("POST", path, body)
        except NotFound as missing:
            raise BadRequest(
                f"{missing}; check REELRANK_ENGINE_INDEX={self.index}", code="external_index_not_found"
            ) from missing
        if failed := reply["_shards"]["total"] - reply["_shards"]["successful"]:
            raise Partial(f"{failed} of {reply['_shards']['total']} shards of {self.index} did not answer")
        return reply

    def _search(self, body: Body, timeout_s: float) -> list[Reply]:
        try:
            return self.cluster.search(self.index, {"track_total_hits": False, **body}, timeout_s)
        except NotFound as missing:
            raise Unavailable(
                f"{missing}; check REELRANK_ENGINE_INDEX={self.index}", code="external_index_missing"
            ) from missing

    def _build_ids_only(self) -> Body:
        id_field = self.fields.names.get("id")
        return {"_source": False} if id_field is None else {"_source": False, "docvalue_fields": [id_field]}

    def _read_id(self, hit: Reply) -> str:
        id_field = self.fields.names.get("id")
        if id_field is None:
            return str(hit["_id"])
        return str(hit.get("fields", {}).get(id_field, [""])[0])

    def _build_filter_clauses(self, filters: Filters) -> list[Body]:
        """Builds filters on mapped fields. The item table applies the others, except to items it lacks."""
        names = self.fields.names
        wanted = zip(KEYWORD_FIELDS, (filters.genres, filters.languages, filters.countries), strict=True)
        keys = [_build_any_of(names[key], values) for key, values in wanted if values and key in names]
        listed = (("people", filters.people), ("tags", filters.tags))
        keys += [_build_any_phrase(names[key], values) for key, values in listed if values and key in names]
        low, high = filters.year_min, filters.year_max
        if "year" in names:
            years = _build_range(names["year"], low, high)
        elif "published_at" in names:
            first, last = (None if y is None else f"{y:04d}" for y in (low, high))
            years = _build_range(
                names["published_at"], first and f"{first}||/y", last and f"{last}||/y", format="yyyy"
            )
        else:
            years = []
        shortest, longest = filters.duration_min_s, filters.duration_max_s
        if "duration_s" in names:
            return [*keys, *years, *_build_range(names["duration_s"], shortest, longest)]
        if "duration_min" in names:
            minutes = (None if seconds is None else seconds / 60 for seconds in (shortest, longest))
            return [*keys, *years, *_build_range(names["duration_min"], *minutes)]
        return [*keys, *years]


def _build_any_of(field: str, values: Sequence[str]) -> Body:
    terms = [{"term": {field: {"value": value, "case_insensitive": True}}} for value in values]
    return {"bool": {"should": terms, "minimum_should_match": 1}}


def _build_any_phrase(field: str, values: Sequence[str]) -> Body:
    """Builds a filter on names that contain these words; the item table compares the whole names later."""
    phrases = [
        part
        for value in values
        for part in (
            {"match_phrase": {field: value}},
            {"term": {field: {"value": value, "case_insensitive": True}}},
        )
    ]
    return {"bool": {"should": phrases, "minimum_should_match": 1}}


def _build_range(field: str, low: object, high: object, **options: str) -> list[Body]:
    if low is None and high is None:
        return []
    bounds = {"gte": low, "lte": high}
    return [
        {"range": {field: {**{key: value for key, value in bounds.items() if value is not None}, **options}}}
    ]
