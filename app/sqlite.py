"""Opens SQLite files that several processes share. All of `app` opens them here."""

import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from reelrank.index_mappings.errors import Unavailable

OPEN_WAIT_S = 30.0
"""How long opening waits for other processes, one of which may be building an index over many events."""
POLL_S = 0.01
EMPTY_LOG_WAIT_S = 30.0
"""How long to wait for readers of a log; the longest reads are pages of a scan."""


@dataclass(frozen=True, slots=True)
class Schema:
    """Tables of a file. upgrade: migrates from any earlier `user_version` (0 for a new file) to `version`."""

    version: int
    upgrade: Callable[[sqlite3.Connection], None]


def open_database(
    path: Path, schema: Schema, busy_s: float, factory: type[sqlite3.Connection] = sqlite3.Connection
) -> sqlite3.Connection:
    """Opens a file in WAL mode and autocommit, and migrates it. Statements wait `busy_s` for other writers.

    One process opens a file at a time, under a file lock: whatever the timeout, SQLite fails at once with
    "database is locked" when two connections change the journal mode or create tables at the same time.
    Raises Unavailable, or what the factory raises for a failure of SQLite.
    """
    until = time.monotonic() + OPEN_WAIT_S
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(f"{path.name}.lock"), timeout=OPEN_WAIT_S):
            connection = sqlite3.connect(path, timeout=OPEN_WAIT_S, isolation_level=None, factory=factory)
            try:
                _prepare(connection, schema, until)
                connection.execute(f"pragma busy_timeout = {round(1000 * busy_s)}")
            except BaseException:
                connection.close()
                raise
            return connection
    except Timeout as error:
        raise Unavailable(
            f"another process has been opening {path} for {OPEN_WAIT_S:.0f} s", code="database_busy"
        ) from error
    except OSError as error:
        raise Unavailable(
            f"{path} cannot be opened ({error}); check the directory's permissions", code="storage_failed"
        ) from error


def rewrite_file(connection: sqlite3.Connection, path: Path) -> None:
    """Writes a file anew without deleted content, and empties its log. Writers wait meanwhile.

    Needs as much space as the file has. Raises Unavailable as `empty_log` does.
    """
    connection.execute("vacuum")
    empty_log(connection, path)


def empty_log(connection: sqlite3.Connection, path: Path) -> None:
    """Moves the log into the file and cuts it. Raises Unavailable when readers hold it for long."""
    until = time.monotonic() + EMPTY_LOG_WAIT_S
    while connection.execute("pragma wal_checkpoint(truncate)").fetchone()[0]:
        if time.monotonic() > until:
            raise Unavailable(
                f"{path}: other processes have been reading its log for {EMPTY_LOG_WAIT_S:.0f} s",
                code="database_busy",
            )
        time.sleep(POLL_S)


def _prepare(connection: sqlite3.Connection, schema: Schema, until: float) -> None:
    while not _uses_wal(connection) and time.monotonic() < until:
        time.sleep(POLL_S)
    if connection.execute("pragma user_version").fetchone()[0] < schema.version:
        schema.upgrade(connection)
        connection.execute(f"pragma user_version = {schema.version}")


def _uses_wal(connection: sqlite3.Connection) -> bool:
    """Switches to WAL mode. Returns False while a process without the lock, such as a backup, reads the file.

    A file system without support for WAL keeps its mode, which works for one writer.
    """
    if connection.execute("pragma journal_mode").fetchone()[0] == "wal":
        return True
    try:
        connection.execute("pragma journal_mode = wal")
    except (sqlite3.OperationalError, Unavailable) as error:
        if getattr(error.__cause__ or error, "sqlite_errorcode", None) != sqlite3.SQLITE_BUSY:
            raise
        return False
    return True
