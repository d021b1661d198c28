"""Caches ranked lists for a while, so that the parts of a list never repeat or lose an item.

All workers share one SQLite file. It is not synced to disk: if it is lost, clients ask for a first page anew.
"""

import sqlite3
import threading
from dataclasses import replace
from pathlib import Path

from reelrank.app.clock import SYSTEM_CLOCK, Clock
from reelrank.app.search.page import Page
from reelrank.app.search.result_list import ResultList
from reelrank.app.sqlite import Schema, open_database
from reelrank.index_mappings.errors import CursorExpired, Unavailable, describe_failure

TABLES = """
create table if not exists lists (id text primary key, made_s real not null, body blob not null);
create index if not exists lists_by_age on lists (made_s);
"""
DELETE_EXPIRED = (
    "delete from lists where rowid in (select rowid from lists where made_s < ? order by made_s limit ?)"
)
MAX_EXPIRED_PER_PUT = 3
"""Expired lists deleted with each new one: too few to wait for, enough to reuse their space."""
BUSY_TIMEOUT_S = 0.25
"""How long a page waits for another worker's write before it is answered without a next part."""


class ResultCache:
    """Ranked lists by request id.

    Opens nothing until used, so it may be created before a fork. ttl_s: how long a list is cached.
    """

    def __init__(self, path: Path, ttl_s: float, clock: Clock = SYSTEM_CLOCK) -> None:
        self._path = path
        self._clock = clock
        self._ttl_s = ttl_s
        self._local = threading.local()

    def cache_list(self, result_list: ResultList, page: Page) -> Page:
        """Stores the list of a page. A page whose list cannot be stored is returned without a next part."""
        try:
            self.put(result_list)
        except Unavailable as error:
            degraded = (*page.degraded, describe_failure("next pages", error))
            return replace(page, cursor=None, degraded=degraded)
        return page

    def put(self, result_list: ResultList) -> None:
        """Stores a list. Raises Unavailable when the disk is full or another process has locked the file."""
        now, insert = self._clock.now().timestamp(), "insert or replace into lists values (?, ?, ?)"
        try:
            with self._connect() as connection:  # commits, or rolls back
                connection.execute("begin immediate")  # one wait for other writers
                connection.execute(insert, (result_list.request_id, now, result_list.to_bytes()))
                connection.execute(DELETE_EXPIRED, (now - self._ttl_s, MAX_EXPIRED_PER_PUT))
        except sqlite3.Error as error:
            raise Unavailable(f"{self._path} cannot be written ({error})", code="storage_failed") from error

    def get(self, cursor: str) -> tuple[ResultList, int]:
        """Returns the list and where its next part begins. Raises CursorExpired after its time."""
        request_id, _, offset = cursor.rpartition(".")
        select = "select body from lists where id = ? and made_s >= ?"
        try:
            oldest_s = self._clock.now().timestamp() - self._ttl_s
            row = self._connect().execute(select, (request_id, oldest_s)).fetchone()
        except sqlite3.Error as error:
            raise Unavailable(f"{self._path} cannot be read ({error})", code="storage_failed") from error
        if row is None or not offset.isdecimal():
            raise CursorExpired(
                f"cursor {cursor!r} is unknown or older than {self._ttl_s / 60:.0f} minutes; "
                "ask for the first page again"
            )
        return ResultList.from_bytes(row[0]), int(offset)

    def _connect(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = open_database(self._path, Schema(1, _make_tables), BUSY_TIMEOUT_S)
            connection.execute("pragma synchronous = off")
            self._local.connection = connection
        return connection


def _make_tables(connection: sqlite3.Connection) -> None:
    connection.executescript(TABLES)


def format_cursor(request_id: str, offset: int) -> str:
    return f"{request_id}.{offset}"
