"""Events as documents of a server: encoded for a write, decoded from hits."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import pyarrow as pa

from reelrank.app.engines.server.transport.cluster import Reply
from reelrank.index_mappings.event import EVENT_FIELDS, EVENT_SCHEMA, Event

DEFAULTS = {field.name: field.type.default for field in EVENT_FIELDS}
"""A document lacks the fields that its event does not state."""


def encode_event(event: Event) -> dict[str, Any]:
    fields = {name: value for name, value in asdict(event).items() if value not in ("", None)}
    return {"@timestamp": event.at_ms, **fields}


def decode_event(source: dict[str, Any]) -> Event:
    return Event(**{field.name: source[field.name] for field in EVENT_FIELDS if field.name in source})


def deduplicate_hits(hits: Sequence[Reply]) -> list[Reply]:
    """Returns the first hit of each id: two backing indices may have the same event."""
    return list({hit["_id"]: hit for hit in reversed(hits)}.values())[::-1]


def build_event_batch(hits: Sequence[Reply], schema: pa.Schema = EVENT_SCHEMA) -> pa.RecordBatch:
    rows = [hit["_source"] for hit in hits]
    arrays = [
        pa.array([row.get(field.name, DEFAULTS[field.name]) for row in rows], field.type) for field in schema
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def decode_item_buckets(reply: Reply) -> tuple[frozenset[str], int]:
    """Returns the items of a response, and how many events are of other items."""
    items = reply.get("aggregations", {}).get("items", {})
    keys = frozenset(bucket["key"] for bucket in items.get("buckets", ()))
    return keys, int(items.get("sum_other_doc_count", 0))
