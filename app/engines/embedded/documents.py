"""Documents as rows of SQLite and back."""

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import orjson

from index_mappings.fields import VECTOR_FIELDS, level_weight, neighbour_level
from index_mappings.item import Document, FloatVector, Item, Neighbour

VECTOR_COLUMNS = tuple(VECTOR_FIELDS)
COLUMNS = f"row, id, deleted, body, {', '.join(VECTOR_COLUMNS)}, neighbours, seq"

UPSERT = """
insert into documents (version, id, seq, deleted, body, text, factors, session, neighbours)
values (?, ?, ?, 0, ?, ?, ?, ?, ?)
on conflict (version, id) do update set seq = excluded.seq, deleted = 0, body = excluded.body,
    text = coalesce(excluded.text, text), factors = coalesce(excluded.factors, factors),
    session = coalesce(excluded.session, session), neighbours = coalesce(excluded.neighbours, neighbours)
"""


def upsert(connection: sqlite3.Connection, version: str, seq: int, documents: Iterable[Document]) -> None:
    connection.executemany(UPSERT, ((version, d.item.id, seq, *_values(d)) for d in documents))


def _values(document: Document) -> tuple[bytes | None, ...]:
    vectors = (_vector_bytes(document.vectors.get(name)) for name in VECTOR_COLUMNS)
    neighbours = [(n.id, neighbour_level(n.weight)) for n in document.neighbours]
    return (item_bytes(document.item), *vectors, orjson.dumps(neighbours) if neighbours else None)


def _vector_bytes(vector: FloatVector | None) -> bytes | None:
    return None if vector is None else np.asarray(vector, np.float32).tobytes()


def item_bytes(item: Item) -> bytes:
    facts = {name: getattr(item, name) for name in Item.__slots__ if name != "id"}
    return orjson.dumps({name: fact for name, fact in facts.items() if fact not in ("", (), None)})


def item_of(name: str, body: bytes) -> Item:
    facts: dict[str, Any] = orjson.loads(body)
    for field in ("tags", "genres", "people"):
        facts[field] = tuple(facts.get(field, ()))
    if "published_at" in facts:
        facts["published_at"] = datetime.fromisoformat(facts["published_at"])
    return Item(id=name, **facts)


def document_of(row: Sequence[Any]) -> Document:
    """From a row of COLUMNS."""
    stored = zip(VECTOR_COLUMNS, row[4 : 4 + len(VECTOR_COLUMNS)], strict=True)
    vectors = {name: np.frombuffer(blob, np.float32) for name, blob in stored if blob is not None}
    levels = orjson.loads(row[-2]) if row[-2] else ()
    neighbours = tuple(Neighbour(name, level_weight(level)) for name, level in levels)
    return Document(item_of(row[1], row[3]), vectors, neighbours)
