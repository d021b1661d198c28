"""Converts documents to and from SQLite rows."""

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any

import numpy as np
import orjson

from reelrank.index_mappings.fields import NEIGHBOUR_LEVELS, VECTOR_FIELDS, to_neighbour_weight
from reelrank.index_mappings.item import Document, Item, Neighbour, decode_item

VECTOR_COLUMNS = tuple(VECTOR_FIELDS)
COLUMNS = f"row, id, deleted, body, {', '.join(VECTOR_COLUMNS)}, neighbours, seq"
ITEM_FIELDS = tuple(name for name in Item.__slots__ if name != "id")
_get_fields = attrgetter(*ITEM_FIELDS)

UPSERT = """
insert into documents (version, id, seq, deleted, body, text, factors, session, neighbours)
values (?, ?, ?, 0, ?, ?, ?, ?, ?)
on conflict (version, id) do update set seq = excluded.seq, deleted = 0, body = excluded.body,
    text = coalesce(excluded.text, text), factors = coalesce(excluded.factors, factors),
    session = coalesce(excluded.session, session), neighbours = coalesce(excluded.neighbours, neighbours)
"""


def upsert(connection: sqlite3.Connection, version: str, seq: int, documents: Sequence[Document]) -> None:
    columns = (_encode_vectors(documents, name) for name in VECTOR_COLUMNS)
    bodies = (encode_item(document.item) for document in documents)
    values = zip(documents, bodies, *columns, _encode_neighbours(documents), strict=True)
    connection.executemany(UPSERT, ((version, d.item.id, seq, *rest) for d, *rest in values))


def _encode_vectors(documents: Sequence[Document], field: str) -> list[bytes | None]:
    vectors = (document.vectors.get(field) for document in documents)
    return [None if vector is None else np.asarray(vector, np.float32).tobytes() for vector in vectors]


def _encode_neighbours(documents: Sequence[Document]) -> list[bytes | None]:
    """Encodes neighbours as JSON pairs of id and level; see `reelrank.index_mappings.fields`."""
    weights = np.array([n.weight for document in documents for n in document.neighbours])
    levels = iter(np.clip(np.rint(weights * NEIGHBOUR_LEVELS), 1, NEIGHBOUR_LEVELS).astype(int).tolist())
    pairs_by_document = ([(n.id, next(levels)) for n in document.neighbours] for document in documents)
    return [orjson.dumps(pairs) if pairs else None for pairs in pairs_by_document]


def encode_item(item: Item) -> bytes:
    values = zip(ITEM_FIELDS, _get_fields(item), strict=True)
    return orjson.dumps({name: value for name, value in values if value or value == 0})  # 0 s is a duration


def decode_body(item_id: str, body: bytes) -> Item:
    return decode_item({"id": item_id, **orjson.loads(body)})


def parse_year(fields: Mapping[str, Any]) -> int | None:
    """Returns the year of a stored item in UTC, like `Item.year`."""
    published_at = fields.get("published_at")
    if published_at is None:
        return None
    if published_at.endswith("+00:00"):  # nearly all dates; parsing takes ten times as long
        return int(published_at[:4])
    return datetime.fromisoformat(published_at).astimezone(UTC).year


def decode_document(row: Sequence[Any]) -> Document:
    """Decodes a row of COLUMNS."""
    stored = zip(VECTOR_COLUMNS, row[4 : 4 + len(VECTOR_COLUMNS)], strict=True)
    vectors = {name: np.frombuffer(blob, np.float32) for name, blob in stored if blob is not None}
    levels = orjson.loads(row[-2]) if row[-2] else ()
    neighbours = tuple(Neighbour(item_id, to_neighbour_weight(level)) for item_id, level in levels)
    return Document(decode_body(row[1], row[3]), vectors, neighbours)
