"""Caches ranked lists for a while, so that the parts of a list never repeat or lose an item.

All workers share one SQLite file. It is not synced to disk: if it is lost, clients ask for a first page anew.
"""

import sqlite3
import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from reelrank.app.clock import SYSTEM_CLOCK, Clock
from reelrank.app.search.page import Page
from reelrank.app.search.result_list import ResultList
from reelrank.app.sqlite import Schema, open_database, rewrite_file
from reelrank.index_mappings.errors import CursorExpired, Unavailable, describe_failure

TABLES = """
drop table if exists lists;
create table lists (
    id text primary key, made_s real not null, body blob not null, user_key text not null default ''
);
create index lists_by_age on lists (made_s);
create index lists_by_user on lists (user_key) where user_key <> '';
"""
"""Drops the lists of an earlier build, which named viewers by their ids."""
SCHEMA_VERSION = 3
CHECKSUM_BYTES = 4
LISTS_FILE = "lists.sqlite"
"""In the data directory."""
DELETE_EXPIRED = (
    "delete from lists where rowid in (select rowid from lists where made_s < ? order by made_s limit ?)"
)
MAX_EXPIRED_PER_PUT = 3
"""Expired lists deleted with each new one: too few to wait for, enough to reuse their space."""
MAX_KNOWN_VIEWERS = 10_000
"""Lists whose viewer a process remembers: the file has a keyed hash."""
REWRITE_TIMEOUT_S = 30.0
BUSY_TIMEOUT_S = 0.25
"""How long a page waits for another worker's write before it is answered without a next part."""


class ResultCache:
    """Ranked lists by request id.

    Opens nothing until used, so it may be created before a fork. ttl_s: how long a list is cached. identify:
    a user id to its keyed hash, which stands for the viewer in the file.
    """

    def __init__(
        self,
        path: Path,
        ttl_s: float,
        identify: Callable[[str], str],
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._path = path
        self._clock = clock
        self._ttl_s = ttl_s
        self._identify = identify
        self._local = threading.local()
        self._viewers = OrderedDict[str, str]()

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
        now, insert = self._clock.now().timestamp(), "insert or replace into lists values (?, ?, ?, ?)"
        user_key = self._identify(result_list.query.user or "")
        self._remember_viewer(result_list.request_id, result_list.query.user)
        query = replace(result_list.query, user=user_key or None, session="")
        body = _seal(replace(result_list, query=query).to_bytes())
        try:
            with self._connect() as connection:  # commits, or rolls back
                connection.execute("begin immediate")  # one wait for other writers
                connection.execute(insert, (result_list.request_id, now, body, user_key))
                connection.execute(DELETE_EXPIRED, (now - self._ttl_s, MAX_EXPIRED_PER_PUT))
        except sqlite3.Error as error:
            raise Unavailable(f"{self._path} cannot be written ({error})", code="storage_failed") from error

    def get(self, cursor: str, user: str = "") -> tuple[ResultList, int]:
        """Returns the list and where its next part begins. Raises CursorExpired after its time.

        user: who asks for it; another viewer than that of the list does not count. Without one, the process
        that ranked the list knows its viewer, and any other answers with a list of an unknown viewer.
        """
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
        return self._name_viewer(ResultList.from_bytes(_unseal(row[0])), user), int(offset)

    def _name_viewer(self, result_list: ResultList, stated: str) -> ResultList:
        """Replaces the keyed hash by the id of the viewer."""
        user_key = result_list.query.user
        if not user_key:
            return result_list
        is_theirs = bool(stated) and self._identify(stated) == user_key
        user = stated if is_theirs else self._viewers.get(result_list.request_id)
        return replace(result_list, query=replace(result_list.query, user=user))

    def _remember_viewer(self, request_id: str, user: str | None) -> None:
        if user:
            self._viewers[request_id] = user
            while len(self._viewers) > MAX_KNOWN_VIEWERS:
                with suppress(KeyError):  # another thread may have taken it
                    self._viewers.popitem(last=False)

    def erase_user(self, user_key: str) -> int:
        """Removes the lists of a viewer; returns how many there were. Raises Unavailable."""
        with self._translate():
            delete = "delete from lists where user_key = ?"
            return int(self._connect().execute(delete, (user_key,)).rowcount)

    def purge(self) -> None:
        """Writes the file anew, without what removed lists left in it. Raises Unavailable."""
        with self._translate():
            connection = self._connect()
            connection.execute(f"pragma busy_timeout = {round(1000 * REWRITE_TIMEOUT_S)}")
            rewrite_file(connection, self._path)
            connection.execute(f"pragma busy_timeout = {round(1000 * BUSY_TIMEOUT_S)}")

    def remove_expired(self) -> int:
        """Removes all expired lists, also while no new ones come; returns how many. Raises Unavailable."""
        oldest_s = self._clock.now().timestamp() - self._ttl_s
        with self._translate():
            return int(self._connect().execute(DELETE_EXPIRED, (oldest_s, -1)).rowcount)

    def list_of_user(self, user_key: str) -> list[ResultList]:
        """Returns the lists of a viewer that are kept, the oldest first. Raises Unavailable."""
        select = "select body from lists where user_key = ? order by made_s"
        with self._translate():
            bodies = self._connect().execute(select, (user_key,)).fetchall()
        return [ResultList.from_bytes(_unseal(body)) for (body,) in bodies]

    @contextmanager
    def _translate(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise Unavailable(f"{self._path} cannot be changed ({error})", code="storage_failed") from error

    def _connect(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = open_database(self._path, Schema(SCHEMA_VERSION, _make_tables), BUSY_TIMEOUT_S)
            connection.execute("pragma synchronous = off")
            connection.execute("pragma secure_delete = on")
            self._local.connection = connection
        return connection


def _seal(body: bytes) -> bytes:
    """Returns the bytes of a list behind their checksum: Arrow may read damaged ones beyond its memory."""
    return zlib.crc32(body).to_bytes(CHECKSUM_BYTES) + body


def _unseal(sealed: bytes) -> bytes:
    """Returns the bytes of a list. Raises CursorExpired when they are not those that were stored."""
    body = sealed[CHECKSUM_BYTES:]
    if zlib.crc32(body).to_bytes(CHECKSUM_BYTES) != sealed[:CHECKSUM_BYTES]:
        raise CursorExpired("the list of this cursor is damaged on the disk; ask for the first page again")
    return body


def _make_tables(connection: sqlite3.Connection) -> None:
    connection.executescript(TABLES)


def format_cursor(request_id: str, offset: int) -> str:
    return f"{request_id}.{offset}"
