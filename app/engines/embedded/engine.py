"""The embedded `SearchEngine`: writes go to SQLite first, answers come from what is derived of it."""

import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.engines.embedded import documents, text_index
from app.engines.embedded.database import Database, next_seq
from app.engines.embedded.documents import COLUMNS, document_of, fault_of, item_of
from app.engines.embedded.snapshot import Snapshot, last_seq, read_snapshot
from app.engines.embedded.text_index import TextIndex
from index_mappings.engine import (
    IndexVersion,
    NeighbourMatch,
    Rejection,
    TextMatch,
    VectorMatch,
    WriteReport,
)
from index_mappings.errors import BadRequest, Conflict, NotFound, Unavailable
from index_mappings.fields import VECTOR_FIELDS
from index_mappings.item import Document, Item
from index_mappings.match import Matches, best_first, no_matches

REFRESH_S = 0.5
"""A change made by another process is looked for at most this often."""
SPARE_HITS = 20
"""Asked of tantivy above the limit, so that ties at the edge can be put in the order of ids."""
FETCH_BATCH = 500


class EmbeddedEngine:
    """Many processes may read one directory while one at a time writes. Opens nothing until used."""

    name = "embedded"

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.database = Database(directory)
        self._refreshing = threading.Lock()
        self._looked_at = -REFRESH_S
        self._current: tuple[Snapshot, TextIndex] | None = None

    def match_text(self, request: TextMatch, timeout_s: float) -> Matches:
        snapshot, words = self._serving()
        rows, scores = words.search(request.text, request.filters, request.limit + SPARE_HITS)
        places = snapshot.places_of_rows(rows)
        known = places >= 0
        return best_first(request.source, snapshot.ids[places[known]], scores[known], request.limit)

    def match_vector(self, request: VectorMatch, timeout_s: float) -> Matches:
        field = VECTOR_FIELDS.get(request.field)
        if field is None or request.vector.shape != (field.size,):
            raise BadRequest(f"no vector field {request.field!r} of size {request.vector.shape}")
        snapshot, _ = self._serving()
        vectors = snapshot.vectors[request.field]
        allowed = vectors.any(axis=1)
        if not request.filters.is_empty:
            allowed &= snapshot.passes(request.filters)
        places = np.flatnonzero(allowed)
        scores = (vectors @ request.vector)[places]
        best = _top(scores, request.limit)
        return best_first(request.source, snapshot.ids[places[best]], scores[best], request.limit)

    def match_ids(self, request: NeighbourMatch, timeout_s: float) -> Matches:
        snapshot, _ = self._serving()
        if not request.seeds:
            return no_matches(request.source)
        scores = snapshot.neighbour_scores(request.seeds)
        found = scores > 0
        if not request.filters.is_empty:
            found &= snapshot.passes(request.filters)
        places = np.flatnonzero(found)
        return best_first(request.source, snapshot.ids[places], scores[places], request.limit)

    def fetch(self, ids: Sequence[str], timeout_s: float) -> list[Item | None]:
        version = self._serving_name()
        bodies: dict[str, bytes] = {}
        for start in range(0, len(ids), FETCH_BATCH):
            part = list(ids[start : start + FETCH_BATCH])
            marks = ",".join("?" * len(part))
            select = f"select id, body from documents where version = ? and not deleted and id in ({marks})"
            bodies.update(self.database.connection().execute(select, (version, *part)))
        return [item_of(name, bodies[name]) if name in bodies else None for name in ids]

    def scan(self, version: str, batch_size: int = 1000) -> Iterator[list[Document]]:
        self._known(version)
        select = f"""select {COLUMNS} from documents where version = ? and not deleted and id > ?
                     order by id limit ?"""
        after = ""
        while rows := self.database.connection().execute(select, (version, after, batch_size)).fetchall():
            after = rows[-1][1]
            yield [document_of(row) for row in rows]

    def create_index(self, version: str) -> None:
        with self.database.transaction() as connection:
            if connection.execute("select 1 from versions where name = ?", (version,)).fetchone():
                raise Conflict(f"index version {version} exists; choose another name or drop it")
            made = datetime.now(UTC).isoformat()
            base = next_seq(connection)
            connection.execute("insert into versions values (?, ?, ?, 0)", (version, made, base))

    def write(self, version: str, batch: Sequence[Document]) -> WriteReport:
        with self.database.transaction() as connection:
            self._known(version)
            return _upsert(connection, version, batch)

    def promote(self, version: str) -> None:
        with self.database.writing():
            self._known(version)
            self._cover(version)
            with self.database.transaction() as connection:
                _carry_over(connection, version)
                connection.execute("update versions set serving = (name = ?)", (version,))
            self._cover(version)
        self._looked_at = -REFRESH_S

    def drop(self, version: str) -> None:
        with self.database.writing(), self.database.transaction() as connection:
            self._known(version)
            if version == self.serving_version():
                raise Conflict(f"index version {version} is serving; promote another one first")
            connection.execute("delete from documents where version = ?", (version,))
            connection.execute("delete from versions where name = ?", (version,))
            text_index.remove(self._text_directory(version))

    def versions(self) -> list[IndexVersion]:
        select = """select name, created_at, serving,
                    (select count(*) from documents where version = name and not deleted)
                    from versions order by base_seq desc"""
        return [
            IndexVersion(name, datetime.fromisoformat(made), documents, bool(serving))
            for name, made, serving, documents in self.database.connection().execute(select)
        ]

    def serving_version(self) -> str | None:
        row = self.database.connection().execute("select name from versions where serving").fetchone()
        return None if row is None else str(row[0])

    def upsert(self, batch: Sequence[Document]) -> WriteReport:
        with self.database.writing():
            version = self._serving_name()
            with self.database.transaction() as connection:
                report = _upsert(connection, version, batch)
            self._cover(version)
        self._looked_at = -REFRESH_S
        return report

    def delete(self, ids: Sequence[str]) -> int:
        with self.database.writing():
            version = self._serving_name()
            with self.database.transaction() as connection:
                seq = next_seq(connection)
                update = """update documents set deleted = 1, seq = ?
                            where version = ? and id = ? and not deleted"""
                deleted = sum(connection.execute(update, (seq, version, name)).rowcount for name in ids)
            self._cover(version)
        self._looked_at = -REFRESH_S
        return deleted

    def is_ready(self) -> bool:
        try:
            self._serving()
        except Unavailable:
            return False
        return True

    def close(self) -> None:
        self.database.close()

    def describe(self) -> dict[str, object]:
        """Facts for a person: how many documents serve, and how far the words are behind the truth."""
        version = self.serving_version()
        if version is None:
            return {"serving": None}
        behind = last_seq(self.database.connection(), version) - TextIndex(self._text_directory(version)).seq
        return {"serving": version, "documents": len(self._serving()[0]), "changes behind": max(behind, 0)}

    def _serving(self) -> tuple[Snapshot, TextIndex]:
        """What answers now: made again when the truth has changed since it was last looked at."""
        current = self._current
        if current is not None and time.monotonic() - self._looked_at < REFRESH_S:
            return current
        with self._refreshing:
            if self._current is None or time.monotonic() - self._looked_at >= REFRESH_S:
                self._current = self._refreshed(self._current)
                self._looked_at = time.monotonic()
            return self._current

    def _refreshed(self, current: tuple[Snapshot, TextIndex] | None) -> tuple[Snapshot, TextIndex]:
        version, connection = self._serving_name(), self.database.connection()
        seq = last_seq(connection, version)
        if current is None or current[0].version != version:
            words = TextIndex(self._text_directory(version))
            if words.seq < seq:
                with self.database.writing():
                    self._cover(version)
            words.reload()
            return read_snapshot(connection, version), words
        if current[0].seq == seq:
            return current
        current[1].reload()
        return read_snapshot(connection, version), current[1]

    def _cover(self, version: str) -> None:
        """Brings the words up to the truth; for whoever holds the writer lock."""
        words, connection = TextIndex(self._text_directory(version)), self.database.connection()
        seq = last_seq(connection, version)
        if words.seq < seq:
            select = "select row, id, deleted, body from documents where version = ? and seq > ?"
            changes = connection.execute(select, (version, words.seq))
            words.apply(
                ((row, name, None if gone else item_of(name, body)) for row, name, gone, body in changes), seq
            )

    def _serving_name(self) -> str:
        version = self.serving_version()
        if version is None:
            raise Unavailable(f"no index version serves in {self.directory}; load items first")
        return version

    def _known(self, version: str) -> None:
        select = "select 1 from versions where name = ?"
        if self.database.connection().execute(select, (version,)).fetchone() is None:
            raise NotFound(f"there is no index version {version} in {self.directory}")

    def _text_directory(self, version: str) -> Path:
        return self.directory / "words" / version


def _upsert(connection: sqlite3.Connection, version: str, batch: Sequence[Document]) -> WriteReport:
    faults = [fault_of(document) for document in batch]
    good = [document for document, fault in zip(batch, faults, strict=True) if fault is None]
    documents.upsert(connection, version, next_seq(connection), good)
    rejected = tuple(Rejection(d.item.id, f) for d, f in zip(batch, faults, strict=True) if f is not None)
    return WriteReport(len(good), rejected)


def _carry_over(connection: sqlite3.Connection, version: str) -> None:
    """Live changes of the serving version since this one was created, keeping what this one learned."""
    base = connection.execute("select base_seq from versions where name = ?", (version,)).fetchone()[0]
    seq = next_seq(connection)
    connection.execute(
        """insert into documents (version, id, seq, deleted, body, text, factors, session, neighbours)
           select ?, id, ?, deleted, body, text, factors, session, neighbours from documents
           where version = (select name from versions where serving and name != ?) and seq > ?
           on conflict (version, id) do update set seq = excluded.seq, deleted = excluded.deleted,
               body = excluded.body, text = excluded.text""",
        (version, seq, version, base),
    )


def _top(scores: NDArray[np.float32], limit: int) -> NDArray[np.intp]:
    """Places of at least the `limit` best scores, every tie at the edge among them."""
    if len(scores) <= limit:
        return np.arange(len(scores))
    edge = np.partition(scores, len(scores) - limit)[len(scores) - limit]
    return np.flatnonzero(scores >= edge)
