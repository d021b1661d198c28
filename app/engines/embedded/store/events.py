"""The embedded `EventStore`: one table of the engine's SQLite file."""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any

import pyarrow as pa

from reelrank.app.clock import SYSTEM_CLOCK, Clock, to_ms
from reelrank.app.engines.embedded.store.database import Database
from reelrank.app.sqlite import empty_log, rewrite_file
from reelrank.index_mappings.errors import BadRequest
from reelrank.index_mappings.event import (
    DAY_MS,
    EVENT_FIELDS,
    EVENT_KINDS,
    EVENT_SCHEMA,
    FLAG,
    OPINION_KINDS,
    Event,
    EventKind,
)
from reelrank.index_mappings.event_store import (
    AppendReport,
    PastEvent,
    check_erasable,
    select_event_schema,
)
from reelrank.ranking.durable import file_contains

COLUMNS = ", ".join(field.name for field in EVENT_FIELDS)
PAST_COLUMNS = ", ".join(PastEvent._fields)
INSERT = f"insert or ignore into events ({COLUMNS}) values ({', '.join('?' * len(EVENT_FIELDS))})"
READ_FIELDS = attrgetter(*(field.name for field in EVENT_FIELDS))
"""Takes a tenth of the time of `dataclasses.astuple`, which copies each value."""
FLAG_INDEXES = tuple(index for index, field in enumerate(EVENT_FIELDS) if field.type is FLAG)
"""SQLite has no booleans, so it stores them as 0 and 1."""
BATCH = 10_000
PART = 2_000
"""Rows that are objects at a time: with 10,000, Python's garbage collector takes a quarter of the time."""
EXPIRED_PER_APPEND = 1_000
"""Expired events deleted with an append: some 10 ms of work."""
EXPIRY_INTERVAL_S = 600.0
"""How long a process waits between looks for expired events, once it found too few for one append."""
DELETE_EXPIRED = """
delete from events where seq in (
    select seq from events where at_ms < ?1 and coalesce(received_ms, at_ms) < ?1 order by at_ms, id limit ?2
)
"""


class EmbeddedEvents:
    """Opens nothing before its first use, so it may be created before a fork.

    keep_days: appending deletes events that happened, and were received, longer ago; None: for ever. A
    deleted event that is sent again counts as new.
    """

    def __init__(self, directory: Path, keep_days: float | None = None, clock: Clock = SYSTEM_CLOCK) -> None:
        self.database = Database(directory)
        self._keep_days = keep_days
        self._clock = clock
        self._expiry_due_s = 0.0

    def append(self, events: Sequence[Event], timeout_s: float | None = None) -> AppendReport:
        """Ignores timeout_s: it waits for another writer of the file as long as any writer does."""
        with self.database.transaction() as connection:
            before = connection.total_changes
            connection.executemany(INSERT, map(READ_FIELDS, events))
            stored = connection.total_changes - before
            self._delete_expired(connection)
        return AppendReport(stored, len(events) - stored)

    def flush(self) -> None:
        """Does nothing: SQLite starts from its log at once, however long that is."""

    def _delete_expired(self, connection: sqlite3.Connection) -> None:
        if self._keep_days is None or time.monotonic() < self._expiry_due_s:
            return
        before_ms = to_ms(self._clock.now()) - round(self._keep_days * DAY_MS)
        deleted = connection.execute(DELETE_EXPIRED, (before_ms, EXPIRED_PER_APPEND)).rowcount
        if deleted < EXPIRED_PER_APPEND:
            self._expiry_due_s = time.monotonic() + EXPIRY_INTERVAL_S

    def recent(
        self, user_id: str, limit: int, timeout_s: float, kinds: Sequence[EventKind] = EVENT_KINDS
    ) -> list[Event]:
        """Within a millisecond, the event that was appended last comes first."""
        return [_decode_event(row[:-1]) for row in self._read_newest(COLUMNS, user_id, limit, kinds)]

    def past(self, user_id: str, limit: int, timeout_s: float, kinds: Sequence[EventKind]) -> list[PastEvent]:
        return [PastEvent._make(row[:-1]) for row in self._read_newest(PAST_COLUMNS, user_id, limit, kinds)]

    def watched_items(self, user: str, timeout_s: float) -> frozenset[str]:
        """Reads the index events_by_watched_item only, and no row of the table.

        One text of all ids, which have no spaces, is made of 17,000 in 60 % of the time of as many rows.
        """
        distinct = "select distinct item from events where user = ? and kind = 'watch'"
        select = f"select group_concat(item, ' ') from ({distinct})"
        (joined,) = self.database.connect().execute(select, (user,)).fetchone()
        return frozenset((joined or "").split())

    def opinions(self, user: str, timeout_s: float) -> dict[str, EventKind]:
        """Reads the viewer's opinions by events_by_user_and_kind; of equal times the smaller id counts."""
        select = f"""select item, kind from (
                         select item, kind, row_number() over (partition by item order by at_ms desc, id) n
                         from events where user = ? and {_match_kinds(OPINION_KINDS)}
                     ) where n = 1 and kind <> 'undo' order by item"""
        return dict(self.database.connect().execute(select, (user, *OPINION_KINDS)).fetchall())

    def scan(
        self,
        from_ms: int,
        to_ms: int,
        kinds: Sequence[EventKind] | None = None,
        columns: Sequence[str] | None = None,
    ) -> Iterator[pa.RecordBatch]:
        schema = select_event_schema(columns)
        of_kinds = "" if kinds is None else f"and {_match_kinds(kinds)}"
        select = f"""select {", ".join([*schema.names, "at_ms", "id"])} from events
                     where (at_ms, id) > (?, ?) and at_ms < ? {of_kinds}
                     order by at_ms, id limit {BATCH}"""
        after: tuple[int, str] = (from_ms - 1, "\U0010ffff")
        while True:
            batch, last = self._read_batch(select, (*after, to_ms, *(kinds or ())), schema)
            if last is None:
                return
            after = last[-2:]
            yield batch

    def follow(self, position: str | None) -> tuple[pa.RecordBatch, str]:
        """Reads new events; the position is the number of the last one.

        Raises BadRequest for any other text.
        """
        try:
            start = int(position or 0)
        except ValueError as error:
            raise BadRequest(
                f"{position!r} is not a position of this event store; start from the first event",
                code="invalid_event_position",
            ) from error
        select = f"select {COLUMNS}, seq from events where seq > ? order by seq limit {BATCH}"
        batch, last = self._read_batch(select, (start,), EVENT_SCHEMA)
        return batch, str(start if last is None else last[-1])

    def withdraw(self, ids: Sequence[str]) -> int:
        with self.database.transaction() as connection:
            before = connection.total_changes
            connection.executemany("delete from events where id = ?", [(event_id,) for event_id in ids])
            withdrawn = connection.total_changes - before
            if withdrawn:
                connection.execute("insert into withdrawals (events) values (?)", (withdrawn,))
        return withdrawn

    def scan_user(self, user: str) -> Iterator[pa.RecordBatch]:
        """Reads by the index events_by_user_and_kind, and sorts."""
        select = f"select {COLUMNS} from events where user = ? order by at_ms, id"
        rows = self.database.connect().execute(select, (user,))
        while part := rows.fetchmany(BATCH):
            yield _build_batch(part, EVENT_SCHEMA)

    def erase_user(self, user: str) -> int:
        check_erasable(user)
        with self.database.transaction() as connection:
            erased = connection.execute("delete from events where user = ?", (user,)).rowcount
            if erased:
                connection.execute("insert into withdrawals (events) values (?)", (erased,))
        return erased

    def purge(self, user: str) -> None:
        """Empties the log, and writes the file anew where the id still stands in it.

        SQLite overwrites what it deletes, but pages that it rearranged before may hold copies.
        """
        connection, path = self.database.connect(), self.database.directory / "truth.sqlite"
        empty_log(connection, path)
        if file_contains(path, user.encode(errors="surrogatepass")):
            rewrite_file(connection, path)

    def withdrawal_mark(self) -> str:
        (last,) = self.database.connect().execute("select max(seq) from withdrawals").fetchone()
        return str(last or "")

    def count(self) -> int:
        return int(self.database.connect().execute("select count(*) from events").fetchone()[0])

    def _read_newest(
        self, columns: str, user_id: str, limit: int, kinds: Sequence[EventKind]
    ) -> list[tuple[Any, ...]]:
        """Returns rows of these columns and seq. Merges one read of events_by_user_and_kind per kind.

        SQLite stops each read at the limit. `kind in (...)` would sort the whole history of the viewer.
        """
        distinct_kinds = tuple(dict.fromkeys(kinds))
        if not distinct_kinds:
            return []
        of_one_kind = f"select {columns}, seq from events where user = ? and kind = ?"
        merged = " union all ".join([of_one_kind] * len(distinct_kinds))
        values = [value for kind in distinct_kinds for value in (user_id, kind)]
        return self._read(f"{merged} order by at_ms desc, seq desc limit ?", (*values, limit))

    def _read_batch(
        self, select: str, parameters: Sequence[object], schema: pa.Schema
    ) -> tuple[pa.RecordBatch, tuple[Any, ...] | None]:
        """Returns all rows, which begin with the columns of the schema, and the last one; None for none."""
        rows = self.database.connect().execute(select, parameters)
        last: tuple[Any, ...] | None = None
        parts = list[pa.RecordBatch]()
        while part := rows.fetchmany(PART):
            parts.append(_build_batch(part, schema))
            last = part[-1]
        return pa.concat_batches(parts or [_build_batch([], schema)]), last

    def _read(self, select: str, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
        return self.database.connect().execute(select, parameters).fetchall()


def _match_kinds(kinds: Sequence[EventKind]) -> str:
    return f"kind in ({', '.join('?' * len(kinds))})"


def _decode_event(row: Sequence[Any]) -> Event:
    values = list(row)
    for index in FLAG_INDEXES:
        values[index] = bool(values[index])
    return Event(*values)


def _build_batch(rows: Sequence[Sequence[Any]], schema: pa.Schema) -> pa.RecordBatch:
    """Builds a batch of rows that begin with the columns of the schema."""
    columns = list(zip(*rows, strict=True))[: len(schema)] or [()] * len(schema)
    arrays = [_build_array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _build_array(values: Sequence[Any], arrow_type: pa.DataType) -> pa.Array:
    return pa.array(map(bool, values) if pa.types.is_boolean(arrow_type) else values, arrow_type)
