"""The mappings of the servers, built from the fields: always explicit, because defaults differ.

`make generate` writes them to `index_mappings/rendered/`; they can be sent as they are.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Literal

from reelrank.index_mappings import fields, text
from reelrank.index_mappings.encoder import ENCODER_NAME
from reelrank.index_mappings.event import EVENT_FIELDS, EventField
from reelrank.index_mappings.fields import (
    BM25_B,
    BM25_K1,
    NAME_FIELDS,
    RANGE_FIELDS,
    TEXT_FIELDS,
    VECTOR_FIELDS,
)
from reelrank.index_mappings.item import SINGULAR_NAMES

Product = Literal["elasticsearch", "opensearch"]
SERVERS: tuple[tuple[Product, int], ...] = (
    ("elasticsearch", 8),
    ("elasticsearch", 9),
    ("opensearch", 2),
    ("opensearch", 3),
)
"""Products and major versions that the adapters are tested on."""

ANALYZER = "reelrank_english"
HNSW_M = 16  # Malkov & Yashunin 2018; the default of Lucene, explicit because defaults change.
HNSW_EF_CONSTRUCTION = 200
"""Twice Lucene's default, so that kNN with filters reaches a recall of 0.95 on every server."""
WORDS = "words"
"""The object with the searched text of an item, a property for each text field; an item's own fields are kept
for display. Indices of build 05eedc69 lack it: their text fields are searched themselves."""
FILTER_KEYS = ("genre_key", "language_key", "country_key", *NAME_FIELDS.values())
"""Casefolded terms for filters, several in an item; names of people and tags are also without accents. The
fields without `_key` keep their spelling."""
AGGREGATED_KEY = "genre_key"
"""The only filter key that dashboards aggregate: `genres` is text, and `languages` is a keyword itself."""

SERVER_TYPES = {"bool": "boolean", "int32": "integer", "int64": "long", "double": "double"}
"""Arrow type to the type of a server; text is indexed as its IndexKind."""


def name_vector_property(field: str) -> str:
    """Returns the property of a vector field in `reelrank.index_mappings.fields.VECTOR_FIELDS`."""
    return f"{field}_vector"


def name_words_property(field: str) -> str:
    """Returns the property in which the words of a text field are searched."""
    return f"{WORDS}.{field}"


def format_neighbour_term(item_id: str, level: int) -> str:
    return f"{item_id}|{level}"


def build_items_index(product: Product) -> dict[str, Any]:
    """Returns the settings and mappings of an index of items."""
    settings: dict[str, Any] = {
        "similarity": {"default": {"type": "BM25", "k1": BM25_K1, "b": BM25_B}},
        "translog": {"durability": "request"},
        "analysis": _build_analysis(),
    }
    if product == "opensearch":
        settings["knn"] = True
    return {"settings": {"index": settings}, "mappings": _build_item_mappings(product)}


def build_events_template(data_stream: str, refresh_ms: int = 200) -> dict[str, Any]:
    """Returns the index template for the data stream of events: one shard, so that events have one order."""
    properties = {field.name: _build_event_property(field) for field in EVENT_FIELDS}
    mappings = {"dynamic": False, "properties": {"@timestamp": {"type": "date"}, **properties}}
    settings = {
        "number_of_shards": 1,
        "auto_expand_replicas": "0-1",
        "refresh_interval": f"{refresh_ms}ms",
        "translog": {"durability": "request"},
    }
    return {
        "index_patterns": [data_stream],
        "data_stream": {},
        "priority": 500,
        "template": {"settings": {"index": settings}, "mappings": mappings},
    }


def _build_event_property(field: EventField) -> dict[str, Any]:
    if field.type.index == "text":
        return {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 256}}}
    return {"type": SERVER_TYPES.get(str(field.type.arrow), field.type.index)}


def build_requests_template(data_stream: str) -> dict[str, Any]:
    """Returns the index template for the data stream of request summaries, which dashboards read."""
    keywords = ("request_id", "kind", "model", "version", "degraded", "sources")
    numbers = {"candidates": "integer", "hits": "integer", "took_ms": "float"}
    return _build_dashboard_template(data_stream, keywords, numbers)


def build_impressions_template(data_stream: str) -> dict[str, Any]:
    """Returns the index template for the data stream of impressions and actions, which dashboards read."""
    keywords = ("kind", "request_id", "item", "user", "page", "model", "version", "sources", "degraded")
    numbers = {"position": "integer", "score": "float", "propensity": "double", "came_from": "integer"}
    numbers |= {"watched_ms": "long", "duration_ms": "long"}
    return _build_dashboard_template(data_stream, keywords, numbers)


def _build_dashboard_template(
    data_stream: str, keywords: Sequence[str], numbers: Mapping[str, str]
) -> dict[str, Any]:
    properties = {
        "@timestamp": {"type": "date"},
        **{name: {"type": "keyword"} for name in keywords},
        **{name: {"type": server_type} for name, server_type in numbers.items()},
    }
    settings = {"number_of_shards": 1, "auto_expand_replicas": "0-1", "refresh_interval": "5s"}
    mappings = {"dynamic": False, "properties": properties}
    return {
        "index_patterns": [data_stream],
        "data_stream": {},
        "priority": 500,
        "template": {"settings": {"index": settings}, "mappings": mappings},
    }


def build_changes_index() -> dict[str, Any]:
    """Returns the index of the change log: a document for each changed item, in one shard, for one order.

    A document also stores the item as it was written, without an index on it.
    """
    return {
        "settings": {"index": {"number_of_shards": 1, "auto_expand_replicas": "0-1"}},
        "mappings": {
            "dynamic": False,
            "properties": {"item": {"type": "keyword"}, "at": {"type": "date"}},
        },
    }


def _build_analysis() -> dict[str, Any]:
    own_filters = {"stem": "reelrank_stem"}
    return {
        "tokenizer": {"reelrank_words": {"type": text.TOKENIZER, "max_token_length": text.MAX_TOKEN_LENGTH}},
        "filter": {
            "reelrank_stem": {"type": "stemmer", "language": text.STEMMER},
        },
        "analyzer": {
            ANALYZER: {
                "type": "custom",
                "tokenizer": "reelrank_words",
                "filter": [own_filters.get(step, step) for step in text.STEP_ORDER],
            }
        },
    }


def _build_item_mappings(product: Product) -> dict[str, Any]:
    keyword = {"type": "keyword"}
    shown = {"type": "text", "index": False, "fields": {"keyword": {"type": "keyword", "ignore_above": 256}}}
    searched = {field: {"type": "text", "analyzer": ANALYZER} for field in TEXT_FIELDS}
    vectors = {
        name_vector_property(f.name): _build_vector_property(product, f.size) for f in VECTOR_FIELDS.values()
    }
    return {
        "dynamic": False,
        "_source": {"excludes": [*vectors, *FILTER_KEYS, WORDS]},
        "properties": {
            "id": keyword,
            **dict.fromkeys(TEXT_FIELDS, shown),
            WORDS: {"dynamic": False, "properties": searched},
            **{name: keyword for pair in SINGULAR_NAMES.items() for name in pair},
            "published_at": {"type": "date"},
            "thumbnail": {"type": "keyword", "index": False, "doc_values": False},
            **{key: {"type": "keyword", "doc_values": key == AGGREGATED_KEY} for key in FILTER_KEYS},
            **{field: {"type": "integer"} for field in RANGE_FIELDS},
            "neighbours": {"type": "keyword", "similarity": "boolean", "doc_values": False},
            **vectors,
            "vectors": {"type": "object", "enabled": False},
        },
    }


def _build_vector_property(product: Product, size: int) -> dict[str, Any]:
    if product == "elasticsearch":
        hnsw = {"type": "hnsw", "m": HNSW_M, "ef_construction": HNSW_EF_CONSTRUCTION}
        return {
            "type": "dense_vector",
            "dims": size,
            "index": True,
            "similarity": "cosine",
            "index_options": hnsw,
        }
    parameters = {"m": HNSW_M, "ef_construction": HNSW_EF_CONSTRUCTION}
    method = {"name": "hnsw", "engine": "lucene", "space_type": "cosinesimil", "parameters": parameters}
    return {"type": "knn_vector", "dimension": size, "method": method}


def compute_index_fingerprint() -> str:
    """Returns eight hex digits. Index versions with different fingerprints must not replace each other."""
    settings = {
        "analysis": [
            text.TOKENIZER,
            text.STEP_ORDER,
            text.STEMMER,
            text.STOP_WORDS,
            text.MAX_TOKEN_LENGTH,
            text.PREPARATION,
        ],
        "text": fields.TEXT_FIELDS,
        "bm25": [fields.BM25_K1, fields.BM25_B],
        "keyword": list(fields.KEYWORD_FIELDS),
        "range": fields.RANGE_FIELDS,
        "vectors": {name: asdict(field) for name, field in fields.VECTOR_FIELDS.items()},
        "neighbours": [fields.MAX_NEIGHBOURS, fields.NEIGHBOUR_LEVELS],
        "encoder": ENCODER_NAME,
    }
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]
