"""Counters over the events of all viewers, whichever process accepted them."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import structlog
from numpy.typing import NDArray

from reelrank.index_mappings.event import EVENT_SCHEMA
from reelrank.index_mappings.event_store import EventStore
from reelrank.index_mappings.match import ID_DTYPE
from reelrank.ranking.items.popularity.audience import CounterArrays
from reelrank.ranking.items.popularity.event_counts import count_events
from reelrank.ranking.items.popularity.restorable import COUNTING_RULES, RestorablePopularity, find_counted
from reelrank.ranking.items.table import ItemTable

log = structlog.get_logger("reelrank.live")

MAX_VIEWERS = 5000
"""Above it the viewers with the fewest watches are dropped; only the busiest are ever listed."""
MAX_PENDING = 50_000
"""Newest events of unknown items that are kept: an item may be put just after, or read just later."""


class SnapshotUnusable(Exception):
    """A snapshot cannot be gone on from, for the reason that is the message."""


@dataclass(frozen=True, slots=True, eq=False)
class CapturedCounters:
    """All that counters hold. facts: what JSON can hold of it."""

    arrays: CounterArrays
    facts: Mapping[str, Any]


class ActivityCounters:
    """Counts events by row of one item table, and watches by viewer, to list the busiest.

    counted: events. key: of the codes of viewers; None for one of its own.
    """

    def __init__(self, table: ItemTable, key: bytes | None = None) -> None:
        self.popularity = RestorablePopularity(len(table), key)
        self.counted = 0
        self._table = table
        self._watches: Counter[str] = Counter()
        self._position: str | None = None
        self._last_batch: tuple[str | None, str, int] = (None, "", 0)
        self._mark = ""
        self._pending: list[pa.RecordBatch] = []
        self._has_forgotten = False

    @classmethod
    def restore(cls, captured: CapturedCounters, table: ItemTable, events: EventStore) -> "ActivityCounters":
        """Returns counters that go on from captured ones, which may be of another table.

        They are what counting all events again would give. Raises SnapshotUnusable if they would not be.
        """
        facts, arrays = captured.facts, captured.arrays
        if facts["rules"] != COUNTING_RULES:
            raise SnapshotUnusable("it was counted by the rules of another build")
        if facts["mark"] != events.withdrawal_mark():
            raise SnapshotUnusable("events were withdrawn since")
        before, ids_hash, size = facts["last_batch"]
        if _hash_ids(events.follow(before)[0].slice(0, size)) != ids_hash:
            raise SnapshotUnusable("the event store does not have the events that it ends with")
        counters = cls(table, bytes.fromhex(facts["key"]))
        new_rows = _find_new_rows(arrays, table, facts["has_forgotten"])
        counters.popularity.restore(arrays, new_rows)
        counters.popularity.engagements.remember(facts["engagements"])
        counters.popularity.slots.wait_for(facts["waiting_slots"])
        counters.counted = facts["counted"]
        counters._watches = Counter(dict(facts["watches"]))
        counters._position, counters._mark = facts["position"], facts["mark"]
        counters._last_batch = (before, ids_hash, size)
        counters._has_forgotten = facts["has_forgotten"]
        counters._pending = list(pa.ipc.open_stream(arrays["pending"].tobytes()))
        counters.grow(table)
        return counters

    def capture(self) -> CapturedCounters:
        """Returns all that was counted. Call it between two polls, and use it before the next."""
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, EVENT_SCHEMA) as stream:
            for batch in self._pending:
                stream.write_batch(batch)
        pending = np.frombuffer(sink.getvalue(), np.uint8)
        facts = {
            "rules": COUNTING_RULES,
            "key": self.popularity.audience.key.hex(),
            "counted": self.counted,
            "position": self._position,
            "last_batch": self._last_batch,
            "mark": self._mark,
            "has_forgotten": self._has_forgotten,
            "watches": list(self._watches.items()),
            "engagements": self.popularity.engagements.list_keys(),
            "waiting_slots": self.popularity.slots.list_waiting(),
        }
        ids, durations = self._table.ids, self._table.duration_s
        items = {"ids": np.asarray(ids), "duration_s": np.asarray(durations), "pending": pending}
        return CapturedCounters({**self.popularity.capture(), **items}, facts)

    @property
    def has_begun(self) -> bool:
        return self._position is not None

    def grow(self, table: ItemTable) -> None:
        """Counts for a table with more items behind those of before, also what they did until now."""
        self._table = table
        self.popularity.grow(len(table))
        pending, self._pending = self._pending, []
        for batch in pending:
            self._count(batch)

    def poll(self, events: EventStore) -> None:
        """Counts the events acknowledged since the last call; the first call counts all."""
        if self._position is None:
            self._mark = events.withdrawal_mark()
        while True:
            before = self._position
            batch, self._position = events.follow(before)
            if not len(batch):
                return
            self._last_batch = (before, _hash_ids(batch), len(batch))
            self.counted += len(batch)
            self._count(batch)
            self._count_viewers(batch)

    def renew(self, events: EventStore) -> "ActivityCounters":
        """Returns these counters; after a withdrawal new ones, to count all events that are left.

        What was added to a decayed sum cannot be taken from it.
        """
        if self._position is None or events.withdrawal_mark() == self._mark:
            return self
        log.info("events were withdrawn, counting again")
        return ActivityCounters(self._table)

    def list_busiest_viewers(self, limit: int) -> list[tuple[str, int]]:
        """Returns viewers and how many watches each has, most watches first."""
        return self._watches.most_common(limit)

    def _count(self, batch: pa.RecordBatch) -> None:
        """Counts the events of known items, and keeps the others for later."""
        ids = batch.column("item").to_numpy(zero_copy_only=False).astype(ID_DTYPE)
        is_known = self._table.find_rows(ids) >= 0
        count_events(self.popularity, self._table, batch.filter(pa.array(is_known)))
        unknown = batch.filter(pa.array(~is_known & (ids != b"")))
        if len(unknown):
            self._pending.append(unknown)
        while len(self._pending) > 1 and sum(map(len, self._pending[1:])) >= MAX_PENDING:
            del self._pending[0]
            self._has_forgotten = True

    def _count_viewers(self, batch: pa.RecordBatch) -> None:
        users = batch.filter(pc.equal(batch.column("kind"), "watch")).column("user")
        for pair in pc.value_counts(users).to_pylist():
            if pair["values"]:
                self._watches[pair["values"]] += pair["counts"]
        if len(self._watches) > MAX_VIEWERS:
            self._watches = Counter(dict(self._watches.most_common(MAX_VIEWERS // 2)))


def _find_new_rows(arrays: CounterArrays, table: ItemTable, has_forgotten: bool) -> NDArray[np.intp] | None:
    """Returns the row of each captured item; None if all are where they were. Raises SnapshotUnusable."""
    ids, durations = arrays["ids"].astype(ID_DTYPE), arrays["duration_s"]
    rows, counted = table.find_rows(ids), find_counted(arrays)
    if (rows[counted] < 0).any():
        raise SnapshotUnusable("items that were used are no longer in the catalogue")
    if len(durations) and (table.duration_s[rows[counted]] != durations[counted]).any():
        raise SnapshotUnusable("the durations of items are others")
    if has_forgotten and len(table) > len(ids):
        raise SnapshotUnusable("there are new items, and old events of unknown items were dropped")
    is_same = np.array_equal(rows, np.arange(len(rows)))
    return None if is_same else rows


def _hash_ids(batch: pa.RecordBatch) -> str:
    return hashlib.sha256("\n".join(batch.column("id").to_pylist()).encode()).hexdigest()
