"""The embedded `EventStore`: one table of the same SQLite file."""

from collections.abc import Iterator, Sequence
from dataclasses import astuple, fields
from pathlib import Path
from typing import Any

import pyarrow as pa

from reelrank.app.engines.embedded.store.database import Database
from reelrank.index_mappings.engine import AppendReport
from reelrank.index_mappings.event import EVENT_KINDS, EVENT_SCHEMA, Event, EventKind

COLUMNS = ", ".join(field.name for field in fields(Event))
INSERT = f"insert or ignore into events ({COLUMNS}) values ({', '.join('?' * len(fields(Event)))})"
BATCH = 10_000


class EmbeddedEvents:
    """Opens nothing until used, so it may be made before a fork."""

    def __init__(self, directory: Path) -> None:
        self.database = Database(directory)

    def append(self, events: Sequence[Event], timeout_s: float | None = None) -> AppendReport:
        """Waits for another writer of the file as long as any writer does, whatever the time."""
        with self.database.transaction() as connection:
            before = connection.total_changes
            connection.executemany(INSERT, map(astuple, events))
            stored = connection.total_changes - before
        return AppendReport(stored, len(events) - stored)

    def recent(
        self, user_id: str, limit: int, timeout_s: float, kinds: Sequence[EventKind] = EVENT_KINDS
    ) -> list[Event]:
        """Merges one read of events_by_user_and_kind per kind; within a millisecond, the last appended first.

        SQLite stops each read at the limit. `kind in (...)` would sort the whole history of the viewer.
        """
        distinct_kinds = tuple(dict.fromkeys(kinds))
        if not distinct_kinds:
            return []
        of_one_kind = f"select {COLUMNS}, seq from events where user = ? and kind = ?"
        merged = " union all ".join([of_one_kind] * len(distinct_kinds))
        values = [value for kind in distinct_kinds for value in (user_id, kind)]
        newest_first = f"{merged} order by at_ms desc, seq desc limit ?"
        rows = self.database.connect().execute(newest_first, (*values, limit))
        return [_decode_event(row[:-1]) for row in rows]

    def watched_items(self, user: str, timeout_s: float) -> frozenset[str]:
        """Reads events_by_watched_item alone: no row of the table is looked at."""
        select = "select distinct item from events where user = ? and kind = 'watch'"
        return frozenset(item for (item,) in self.database.connect().execute(select, (user,)))

    def scan(self, from_ms: int, to_ms: int) -> Iterator[pa.RecordBatch]:
        select = f"""select {COLUMNS} from events where (at_ms, id) > (?, ?) and at_ms < ?
                     order by at_ms, id limit {BATCH}"""
        after: tuple[int, str] = (from_ms - 1, "\U0010ffff")
        while rows := self.database.connect().execute(select, (*after, to_ms)).fetchall():
            after = (rows[-1][3], rows[-1][0])
            yield _build_batch(rows)

    def follow(self, position: str | None) -> tuple[pa.RecordBatch, str]:
        select = f"select {COLUMNS}, seq from events where seq > ? order by seq limit {BATCH}"
        rows = self.database.connect().execute(select, (int(position or 0),)).fetchall()
        return _build_batch(rows), str(rows[-1][-1]) if rows else (position or "0")

    def count(self) -> int:
        return int(self.database.connect().execute("select count(*) from events").fetchone()[0])


def _decode_event(row: Sequence[Any]) -> Event:
    return Event(*(*row[:-1], bool(row[-1])))


def _build_batch(rows: Sequence[Sequence[Any]]) -> pa.RecordBatch:
    """Rows that begin with the fields of an event, as one batch of EVENT_SCHEMA."""
    columns = list(zip(*rows, strict=True))[: len(EVENT_SCHEMA)] or [()] * len(EVENT_SCHEMA)
    columns[-1] = tuple(map(bool, columns[-1]))
    arrays = [pa.array(column, field.type) for column, field in zip(columns, EVENT_SCHEMA, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=EVENT_SCHEMA)
