"""Learned vectors and neighbours, copied from the serving version into the version that replaces it."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import orjson

from reelrank.index_mappings.engine import SearchEngine
from reelrank.index_mappings.fields import VECTOR_FIELDS
from reelrank.index_mappings.item import Document, FloatVector, Item, Neighbour
from reelrank.ranking.progress import Progress

LEARNED_FIELDS = tuple(name for name, field in VECTOR_FIELDS.items() if field.learned)
PROGRESS_STEP = "copying learned vectors"


class LearnedFieldsCache:
    """Learned vectors and neighbours by item id; on disk, as those of a catalogue may not fit in memory."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        vectors = ", ".join(f"{name} blob" for name in LEARNED_FIELDS)
        connection.execute(f"create table learned (id text primary key, {vectors}, neighbours blob)")

    def add(self, documents: Sequence[Document]) -> None:
        """Stores the learned fields of documents that have any."""
        marks = ", ".join("?" * (len(LEARNED_FIELDS) + 2))
        rows = (_to_row(document) for document in documents)
        self.connection.executemany(
            f"insert into learned values ({marks})", (row for row in rows if any(row[1:]))
        )

    def build_documents(self, items: Sequence[Item], texts: Sequence[FloatVector]) -> list[Document]:
        """Builds documents from items, their text vectors and the learned fields stored for them."""
        marks = ", ".join("?" * len(items))
        select = f"select * from learned where id in ({marks})"
        found = {row[0]: row[1:] for row in self.connection.execute(select, [item.id for item in items])}
        return [
            _build_document(item, text, found.get(item.id)) for item, text in zip(items, texts, strict=True)
        ]


@contextmanager
def cache_learned_fields(engine: SearchEngine, progress: Progress) -> Iterator[LearnedFieldsCache]:
    """Caches the learned fields of the serving version, if any, in a temporary file."""
    with (
        TemporaryDirectory(prefix="reelrank-") as directory,
        closing(_open_scratch_database(Path(directory))) as connection,
    ):
        learned = LearnedFieldsCache(connection)
        version = engine.serving_version()
        if version is not None:
            total = next(v.documents for v in engine.versions() if v.name == version)
            done = 0
            for batch in engine.scan(version):
                learned.add(batch)
                done += len(batch)
                progress(PROGRESS_STEP, done, total)
        yield learned


def _open_scratch_database(directory: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(directory / "learned.sqlite", isolation_level=None)
    connection.execute("pragma journal_mode = off")
    connection.execute("pragma synchronous = off")
    connection.execute("begin")  # never committed: the file has one reader and is deleted afterwards
    return connection


def _to_row(document: Document) -> tuple[str | bytes | None, ...]:
    vectors = [document.vectors.get(name) for name in LEARNED_FIELDS]
    neighbours = [(neighbour.id, neighbour.weight) for neighbour in document.neighbours]
    blobs = (None if v is None else np.asarray(v, np.float32).tobytes() for v in vectors)
    return (document.item.id, *blobs, orjson.dumps(neighbours) if neighbours else None)


def _build_document(item: Item, text: FloatVector, learned: Sequence[bytes | None] | None) -> Document:
    vectors = {"text": text}
    if learned is None:
        return Document(item, vectors)
    for name, blob in zip(LEARNED_FIELDS, learned, strict=False):
        if blob is not None and len(blob) == 4 * VECTOR_FIELDS[name].size:
            vectors[name] = np.frombuffer(blob, np.float32)
    return Document(item, vectors, tuple(Neighbour(*pair) for pair in orjson.loads(learned[-1] or b"[]")))
