"""The embedded `SearchEngine`: it writes to SQLite first and answers from derived indexes."""

import sqlite3
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from reelrank.app.clock import SYSTEM_CLOCK, Clock
from reelrank.app.engines.embedded.background_indexing import TextIndexer
from reelrank.app.engines.embedded.compaction import Compactor
from reelrank.app.engines.embedded.derived import DerivedIndexes
from reelrank.app.engines.embedded.matcher import EmbeddedMatcher
from reelrank.app.engines.embedded.readers import ServingState
from reelrank.app.engines.embedded.store import documents
from reelrank.app.engines.embedded.store.change_log import (
    carry_over_and_serve,
    log_deletes,
    log_upserts,
    prune,
)
from reelrank.app.engines.embedded.store.database import Database, allocate_seq
from reelrank.app.engines.embedded.store.documents import COLUMNS, decode_body, decode_document
from reelrank.index_mappings.engine import (
    IndexVersion,
    Matcher,
    NeighbourMatch,
    Rejection,
    TextMatch,
    VectorMatch,
    WriteBlock,
    WriteReport,
)
from reelrank.index_mappings.errors import Conflict, IndexVersionNotFound, Unavailable
from reelrank.index_mappings.fields import validate_documents
from reelrank.index_mappings.item import Document, Item
from reelrank.index_mappings.match import Matches

FETCH_BATCH = 500
DROP_BATCH = 5_000
MAX_CHANGES = 5_000
"""Documents of one read of changes; one change writes at most 1,000."""
"""Rows removed per transaction, so that a drop never blocks other writers for long."""


class EmbeddedEngine:
    """Serves one directory to many readers and one writer at a time. Opens nothing until used."""

    name = "embedded"

    def __init__(self, directory: Path, clock: Clock = SYSTEM_CLOCK) -> None:
        self.directory = directory
        self.clock = clock
        self.database = Database(directory)
        self.derived = DerivedIndexes(self.database)
        self.text_indexer = TextIndexer(self.derived)
        self.serving = ServingState(self.derived)
        self.compactor = Compactor(self.derived)

    def match_text(self, request: TextMatch, timeout_s: float) -> Matches:
        return EmbeddedMatcher(self.serving).match_text(request, timeout_s)

    def match_vector(self, request: VectorMatch, timeout_s: float) -> Matches:
        return EmbeddedMatcher(self.serving).match_vector(request, timeout_s)

    def match_ids(self, request: NeighbourMatch, timeout_s: float) -> Matches:
        return EmbeddedMatcher(self.serving).match_ids(request, timeout_s)

    def at_version(self, version: str) -> Matcher:
        return EmbeddedMatcher(self.serving, version)

    def fetch(self, ids: Sequence[str], timeout_s: float) -> list[Item | None]:
        version = self.serving.require_serving_version()
        bodies: dict[str, bytes] = {}
        for start in range(0, len(ids), FETCH_BATCH):
            batch = list(ids[start : start + FETCH_BATCH])
            marks = ",".join("?" * len(batch))
            select = f"select id, body from documents where version = ? and not deleted and id in ({marks})"
            bodies.update(self.database.connect().execute(select, (version, *batch)))
        return [decode_body(item_id, bodies[item_id]) if item_id in bodies else None for item_id in ids]

    def scan(self, version: str, batch_size: int = 1000, after: str = "") -> Iterator[list[Document]]:
        self._require_version(version)
        select = f"""select {COLUMNS} from documents where version = ? and not deleted and id > ?
                     order by id limit ?"""
        while rows := self.database.connect().execute(select, (version, after, batch_size)).fetchall():
            after = rows[-1][1]
            yield [decode_document(row) for row in rows]

    def read_changes(self, version: str, position: str | None) -> tuple[list[Document], str]:
        """Reads changes; the position is the sequence number of the last one that was read."""
        connection = self.database.connect()
        if position is None:
            self._require_version(version)
            select = "select served_seq from versions where name = ?"
            position = str(connection.execute(select, (version,)).fetchone()[0])
        select = f"""select {COLUMNS} from documents where version = ? and seq > ? and not deleted
                     order by seq limit {MAX_CHANGES}"""
        rows = connection.execute(select, (version, int(position))).fetchall()
        if len(rows) == MAX_CHANGES:  # the last change may go on: it is read again
            rows = [row for row in rows if row[-1] < rows[-1][-1]]
        return [decode_document(row) for row in rows], str(rows[-1][-1] if rows else position)

    def create_index(self, version: str) -> None:
        self._remove_documents(version)
        with self.database.transaction() as connection:
            if connection.execute("select 1 from versions where name = ?", (version,)).fetchone():
                raise Conflict(
                    f"index version {version} exists; choose another name or drop it",
                    code="index_version_exists",
                )
            created_at = self.clock.now().isoformat()
            base = allocate_seq(connection)
            connection.execute("insert into versions values (?, ?, ?, 0, 0)", (version, created_at, base))

    def write(self, version: str, batch: Sequence[Document]) -> WriteReport:
        with self.database.transaction() as connection:
            self._require_version(version)
            report = _upsert(connection, version, allocate_seq(connection), batch)
        self.text_indexer.record_written(version, report.written)
        return report

    def promote(self, version: str) -> None:
        self.make_ready(version)
        with self.database.acquire_writer_lock():
            with self.database.transaction() as connection:
                self._require_version(version)
                carry_over_and_serve(connection, version)
            self.derived.index_through(version)
        self.serving.invalidate()

    def make_ready(self, version: str) -> None:
        """Builds the text index and a segment of a version in parallel."""
        self._require_version(version)
        with self.text_indexer.finish(version):
            self.derived.ensure_segment(version)

    def find_write_block(self) -> WriteBlock | None:
        """Returns None: the lock of a promotion ends with its process."""
        return None

    def drop(self, version: str) -> None:
        self.text_indexer.stop(version)
        with self.database.acquire_writer_lock(), self.database.transaction() as connection:
            self._require_version(version)
            if version == self.serving_version():
                raise Conflict(
                    f"index version {version} is serving; promote another version first",
                    code="index_version_serving",
                )
            connection.execute("delete from versions where name = ?", (version,))
            prune(connection)
        for name in self._list_dropped_versions():
            self._remove_documents(name)
        self.derived.remove_all_but(remaining.name for remaining in self.versions())

    def versions(self) -> list[IndexVersion]:
        select = """select name, created_at, serving,
                    (select count(*) from documents where version = name and not deleted)
                    from versions order by base_seq desc"""
        return [
            IndexVersion(name, datetime.fromisoformat(created_at), documents, bool(serving))
            for name, created_at, serving, documents in self.database.connect().execute(select)
        ]

    def serving_version(self) -> str | None:
        return self.serving.serving_version()

    def upsert(self, batch: Sequence[Document]) -> WriteReport:
        with self.database.acquire_writer_lock():
            version = self.serving.require_serving_version()
            with self.database.transaction() as connection:
                seq = allocate_seq(connection)
                report = _upsert(connection, version, seq, batch)
                log_upserts(connection, version, seq)
            self.derived.index_through(version)
        self.serving.invalidate()
        self.compactor.start_if_needed(version)
        return report

    def delete(self, ids: Sequence[str]) -> int:
        with self.database.acquire_writer_lock():
            version = self.serving.require_serving_version()
            with self.database.transaction() as connection:
                seq = allocate_seq(connection)
                update = """update documents set deleted = 1, seq = ?
                            where version = ? and id = ? and not deleted"""
                deleted = sum(connection.execute(update, (seq, version, item_id)).rowcount for item_id in ids)
                log_deletes(connection, ids, seq)
            self.derived.index_through(version)
        self.serving.invalidate()
        self.compactor.start_if_needed(version)
        return deleted

    def is_ready(self) -> bool:
        try:
            self.serving.get_view()
        except Unavailable:
            return False
        return True

    def close(self) -> None:
        self.text_indexer.close()
        self.compactor.wait()
        self.serving.close()
        self.database.close()

    def _require_version(self, version: str) -> None:
        select = "select 1 from versions where name = ?"
        if self.database.connect().execute(select, (version,)).fetchone() is None:
            raise IndexVersionNotFound(
                f"{self.directory} has no index version {version}; list them: reelrank index list"
            )

    def _list_dropped_versions(self) -> list[str]:
        """Lists dropped versions whose documents remain, as an interrupted drop leaves them."""
        select = """with recursive stored(name) as (
                        select min(version) from documents
                        union all select (select min(version) from documents where version > name)
                        from stored where name is not null)
                    select name from stored
                    where name is not null and name not in (select name from versions)"""
        return [str(name) for (name,) in self.database.connect().execute(select)]

    def _remove_documents(self, version: str) -> None:
        remove = """delete from documents where version = ?1 and row in (
                        select row from documents where version = ?1 limit ?2)
                    and not exists (select 1 from versions where name = ?1)"""
        removed = DROP_BATCH
        while removed == DROP_BATCH:
            with self.database.transaction() as connection:
                removed = connection.execute(remove, (version, DROP_BATCH)).rowcount


def _upsert(connection: sqlite3.Connection, version: str, seq: int, batch: Sequence[Document]) -> WriteReport:
    errors = validate_documents(batch)
    good = [document for document, error in zip(batch, errors, strict=True) if error is None]
    documents.upsert(connection, version, seq, good)
    rejected = tuple(Rejection(d.item.id, error) for d, error in zip(batch, errors, strict=True) if error)
    return WriteReport(len(good), rejected)
