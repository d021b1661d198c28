"""The SQLite file: its tables, one connection per thread, one writer at a time."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from reelrank.app.engines.embedded.store.event_table import ADDED_EVENT_COLUMNS, CREATE_EVENTS
from reelrank.app.engines.embedded.store.lock import acquire_lock
from reelrank.app.sqlite import Schema, open_database
from reelrank.index_mappings.errors import Unavailable
from reelrank.index_mappings.event import EVENT_FIELDS

SCHEMA = f"""{CREATE_EVENTS}
create table if not exists versions (
    name text primary key, created_at text not null, base_seq integer not null, serving integer not null,
    served_seq integer not null default 0
);
create table if not exists documents (
    row integer primary key, version text not null, id text not null, seq integer not null,
    deleted integer not null, body blob, text blob, factors blob, session blob, neighbours blob,
    unique (version, id)
);
drop index if exists documents_by_seq;
create index if not exists documents_by_change on documents (version, seq, deleted);
create table if not exists counter (value integer not null);
insert into counter select 0 where not exists (select 1 from counter);
create table if not exists changes (
    id text primary key, seq integer not null, deleted integer not null, body blob, text blob,
    factors blob, session blob, neighbours blob
);
create index if not exists changes_by_seq on changes (seq);
drop index if exists events_by_user;
create index if not exists events_by_user_and_kind on events (user, kind, at_ms);
create index if not exists events_by_watched_item on events (user, kind, item) where kind = 'watch';
create index if not exists events_by_time on events (at_ms, id);
insert or ignore into changes
    select id, seq, deleted, iif(deleted, null, body), text, factors, session, neighbours
    from documents join versions on name = version where serving and seq > served_seq;
"""
"""The last statement fills the change log of a file of an earlier build from its serving version."""
SCHEMA_VERSION = 10_000 + len(EVENT_FIELDS)
"""A new event field makes it larger by itself; 1000 is added for any other change of the tables."""
ADDED_COLUMNS = (("versions", "served_seq", "integer not null default 0"), *ADDED_EVENT_COLUMNS)
"""Columns that files of earlier builds lack."""

WRITER_TIMEOUT_S = 30.0
CHECKPOINT_PAGES = 8_000
"""32 MB instead of SQLite's 4: a load rewrites index pages often. 100,000 documents took 4.8 s with it, 5.2 s
without."""


DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
"""Primary result codes of a file that is not, or no longer, a database."""


class Cursor(sqlite3.Cursor):
    """Converts errors of reading rows, because SQLite reads most pages only then."""

    def fetchone(self) -> Any:
        with _translate_errors():
            return super().fetchone()

    def fetchall(self) -> list[Any]:
        with _translate_errors():
            return super().fetchall()

    def fetchmany(self, size: int | None = None) -> list[Any]:
        with _translate_errors():
            return super().fetchmany(self.arraysize if size is None else size)

    def __next__(self) -> Any:
        try:  # no context manager: this runs once a row
            return super().__next__()
        except sqlite3.DatabaseError as error:
            raise _to_unavailable(error) from error


class Connection(sqlite3.Connection):
    """Converts SQLite's operational errors, such as a full disk, and a damaged file to Unavailable."""

    def cursor(self, factory: Any = Cursor) -> Any:
        return super().cursor(factory)

    def execute(self, *statement: Any) -> sqlite3.Cursor:
        with _translate_errors():
            cursor: sqlite3.Cursor = self.cursor().execute(*statement)  # sqlite3's own has a plain cursor
            return cursor

    def executemany(self, *statement: Any) -> sqlite3.Cursor:
        with _translate_errors():
            return super().executemany(*statement)


class Database:
    """One file for all versions and events. Opens nothing until used, so it may be created before a fork."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._local = threading.local()

    def connect(self) -> sqlite3.Connection:
        """Returns this thread's connection. The first use opens it and creates the tables."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            schema = Schema(SCHEMA_VERSION, _make_tables)
            connection = open_database(self.directory / "truth.sqlite", schema, WRITER_TIMEOUT_S, Connection)
            connection.execute("pragma synchronous = full")
            connection.execute("pragma secure_delete = on")  # what is deleted is overwritten by zeros
            connection.execute(f"pragma wal_autocheckpoint = {CHECKPOINT_PAGES}")
            self._local.connection = connection
        return connection

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Runs the block as one transaction, which is durable when the block ends."""
        connection = self.connect()
        connection.execute("begin immediate")
        try:
            yield connection
        except BaseException:
            connection.execute("rollback")
            raise
        connection.execute("commit")

    @contextmanager
    def acquire_writer_lock(self, wait_s: float = WRITER_TIMEOUT_S) -> Iterator[None]:
        """Excludes other writers of the serving version. Raises Conflict after `wait_s` seconds."""
        with acquire_lock(self.directory / "writer.lock", wait_s):
            yield

    def close(self) -> None:
        """Closes this thread's connection."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None


def allocate_seq(connection: sqlite3.Connection) -> int:
    """Returns the sequence number of a new change; later changes have larger ones."""
    row = connection.execute("update counter set value = value + 1 returning value").fetchone()
    return int(row[0])


@contextmanager
def _translate_errors() -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise _to_unavailable(error) from error


def _to_unavailable(error: sqlite3.DatabaseError) -> Exception:
    """Returns Unavailable for a failure outside of this program, else the error itself."""
    if getattr(error, "sqlite_errorcode", 0) & 0xFF in DAMAGED:
        hint = "truth.sqlite is damaged: stop the service and restore it from a backup"
        return Unavailable(f"SQLite: {error}; {hint}", code="database_damaged")
    if isinstance(error, sqlite3.OperationalError):
        hint = "is the disk full, or does another process hold the file?"
        return Unavailable(f"SQLite: {error}; {hint}", code="storage_failed")
    return error


def _make_tables(connection: sqlite3.Connection) -> None:
    """Creates all tables, or what a file of an earlier build lacks."""
    for table, column, kind in ADDED_COLUMNS:
        columns = [row[1] for row in connection.execute(f"pragma table_info({table})")]
        if columns and column not in columns:
            connection.execute(f"alter table {table} add column {column} {kind}")
    with _translate_errors():
        connection.executescript(SCHEMA)


def read_last_seq(connection: sqlite3.Connection, version: str) -> int:
    """Returns the last change of a version; 0 if it has none."""
    row = connection.execute("select max(seq) from documents where version = ?", (version,)).fetchone()
    return int(row[0] or 0)


@contextmanager
def begin_read(connection: sqlite3.Connection) -> Iterator[None]:
    """Makes all reads in the block see the same state."""
    connection.execute("begin")
    try:
        yield
    finally:
        connection.execute("commit")
