"""The SQLite file: its tables, a connection for each thread, one writer at a time."""

import fcntl
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from index_mappings.errors import Conflict

SCHEMA = """
create table if not exists versions (
    name text primary key, created_at text not null, base_seq integer not null, serving integer not null
);
create table if not exists documents (
    row integer primary key, version text not null, id text not null, seq integer not null,
    deleted integer not null, body blob, text blob, factors blob, session blob, neighbours blob,
    unique (version, id)
);
create index if not exists documents_by_seq on documents (version, seq);
create table if not exists counter (value integer not null);
insert into counter select 0 where not exists (select 1 from counter);
create table if not exists events (
    seq integer primary key autoincrement, id text not null unique, kind text not null, user text not null,
    at_ms integer not null, item text not null, watched_ms integer, duration_ms integer,
    request_id text not null, position integer, text text not null, device text not null,
    country text not null, simulated integer not null
);
create index if not exists events_by_user on events (user, at_ms);
create index if not exists events_by_time on events (at_ms, id);
"""

WRITER_WAIT_S = 30.0


class Database:
    """One file for all versions and events. Safe to make before a fork: it opens nothing until used."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._local = threading.local()
        self._writing = threading.RLock()

    def connection(self) -> sqlite3.Connection:
        """This thread's connection; opened, and the tables made, at its first use."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            self.directory.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self.directory / "truth.sqlite", timeout=WRITER_WAIT_S)
            connection.isolation_level = None
            connection.execute("pragma journal_mode = wal")
            connection.execute("pragma synchronous = full")
            connection.executescript(SCHEMA)
            self._local.connection = connection
        return connection

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, and durable when the block ends."""
        connection = self.connection()
        connection.execute("begin immediate")
        try:
            yield connection
        except BaseException:
            connection.execute("rollback")
            raise
        connection.execute("commit")

    @contextmanager
    def writing(self, wait_s: float = WRITER_WAIT_S) -> Iterator[None]:
        """Excludes other writers of the derived index, in this process and in others.

        The lock ends with the process that holds it. Raises Conflict after `wait_s` seconds.
        """
        until = time.monotonic() + wait_s
        if not self._writing.acquire(timeout=max(wait_s, 0.001)):
            raise Conflict(f"another thread has been writing to {self.directory} for {wait_s} s; try again")
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            with (self.directory / "writer.lock").open("a") as lock:
                while not _locked(lock.fileno()):
                    if time.monotonic() > until:
                        raise Conflict(
                            f"another process writes to {self.directory}; try again when it is done"
                        )
                    time.sleep(0.01)
                yield
        finally:
            self._writing.release()

    def close(self) -> None:
        """Closes this thread's connection."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None


def next_seq(connection: sqlite3.Connection) -> int:
    """The number of a change; later changes have larger ones."""
    row = connection.execute("update counter set value = value + 1 returning value").fetchone()
    return int(row[0])


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
