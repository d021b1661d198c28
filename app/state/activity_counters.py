"""Counters over the events of all viewers, whichever process accepted them."""

from collections import Counter

import pyarrow as pa
import pyarrow.compute as pc
import structlog

from reelrank.index_mappings.event_store import EventStore
from reelrank.index_mappings.match import ID_DTYPE
from reelrank.ranking.items.popularity.counters import Popularity
from reelrank.ranking.items.popularity.event_counts import count_events
from reelrank.ranking.items.table import ItemTable

log = structlog.get_logger("reelrank.live")

MAX_VIEWERS = 5000
"""Above it the viewers with the fewest watches are dropped; only the busiest are ever listed."""
MAX_PENDING = 50_000
"""Newest events of unknown items that are kept: an item may be put just after, or read just later."""


class ActivityCounters:
    """Counts events by row of one item table, and watches by viewer, to list the busiest."""

    def __init__(self, table: ItemTable) -> None:
        self.popularity = Popularity(len(table))
        self._table = table
        self._watches: Counter[str] = Counter()
        self._position: str | None = None
        self._mark = ""
        self._pending: list[pa.RecordBatch] = []

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
            batch, self._position = events.follow(self._position)
            if not len(batch):
                return
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

    def _count_viewers(self, batch: pa.RecordBatch) -> None:
        users = batch.filter(pc.equal(batch.column("kind"), "watch")).column("user")
        for pair in pc.value_counts(users).to_pylist():
            if pair["values"]:
                self._watches[pair["values"]] += pair["counts"]
        if len(self._watches) > MAX_VIEWERS:
            self._watches = Counter(dict(self._watches.most_common(MAX_VIEWERS // 2)))
