"""Popularity: exponentially decayed counts of watches, impressions and clicks, at several half-lives."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from index_mappings.match import ID_DTYPE
from ranking.item_table import ItemTable

HALF_LIVES_DAYS = (1.0, 7.0, 30.0, 365.0)
DAY_MS = 86_400_000
CTR_HALF_LIFE = 2
"""Index into HALF_LIVES_DAYS: click-through is counted over about a month."""
CTR_PRIOR_CLICKS, CTR_PRIOR_IMPRESSIONS = 1.0, 20.0
"""One click in twenty impressions is believed of an item before it was ever shown."""

Rows = NDArray[np.intp]
Floats = NDArray[np.float32]


class Popularity:
    """Counters for `size` rows of an item table.

    Counts are kept as of `now_ms`, the newest event seen; adding later events decays all of them
    first, adding earlier ones decays the addition. Shares of the sum do not change with idle time.
    """

    def __init__(self, size: int) -> None:
        self.now_ms = 0
        self._half_lives_ms = np.array(HALF_LIVES_DAYS) * DAY_MS
        self._watches = np.zeros((size, len(HALF_LIVES_DAYS)))
        self._shown = np.zeros(size)
        self._clicked = np.zeros(size)

    def add(self, kind: str, rows: Rows, at_ms: NDArray[np.int64], weights: Floats) -> None:
        """Counts events of one kind; rows of -1 and kinds that are not counted are passed over."""
        known = rows >= 0
        if kind not in ("watch", "impression", "click") or not known.any():
            return
        rows, at_ms, weights = rows[known], at_ms[known], weights[known]
        self._advance(int(at_ms.max()))
        age = (self.now_ms - at_ms)[:, None] / self._half_lives_ms
        added = weights[:, None] * np.exp2(-age)
        if kind == "watch":
            np.add.at(self._watches, rows, added)
        else:
            counter = self._shown if kind == "impression" else self._clicked
            np.add.at(counter, rows, added[:, CTR_HALF_LIFE])

    def shares(self, rows: Rows) -> Floats:
        """Share [n, 4] of all decayed watches; 0 for rows of -1."""
        total = np.maximum(self._watches.sum(axis=0), 1e-12)
        share: Floats = self._rows_of(self._watches, rows) / total.astype(np.float32)
        return share

    def ctr(self, rows: Rows) -> Floats:
        """Clicks per impression [n], smoothed by the prior; NaN for rows of -1."""
        rate = (self._clicked + CTR_PRIOR_CLICKS) / (self._shown + CTR_PRIOR_IMPRESSIONS)
        return np.where(rows >= 0, rate[rows], np.nan).astype(np.float32)

    def top(self, half_life: int, limit: int, allowed: NDArray[np.bool_]) -> tuple[Rows, Floats]:
        """The `limit` most watched allowed rows at one half-life with their shares, best first."""
        counts = np.where(allowed, self._watches[:, half_life], 0.0)
        positive = np.flatnonzero(counts > 0)
        order = positive[np.lexsort((positive, -counts[positive]))][:limit]
        return order, self.shares(order)[:, half_life]

    def _advance(self, to_ms: int) -> None:
        if to_ms <= self.now_ms:
            return
        if self.now_ms:
            decay = np.exp2(-(to_ms - self.now_ms) / self._half_lives_ms)
            self._watches *= decay
            self._shown *= decay[CTR_HALF_LIFE]
            self._clicked *= decay[CTR_HALF_LIFE]
        self.now_ms = to_ms

    def _rows_of(self, counts: NDArray[np.float64], rows: Rows) -> Floats:
        return np.where((rows >= 0)[:, None], counts[rows], 0.0).astype(np.float32)


def popularity_from(table: ItemTable, events: Iterable[pa.RecordBatch]) -> Popularity:
    """Counts batches of EVENT_SCHEMA in their order."""
    popularity = Popularity(len(table))
    for batch in events:
        count_events(popularity, table, batch)
    return popularity


def count_events(popularity: Popularity, table: ItemTable, batch: pa.RecordBatch) -> None:
    """Adds one batch; a watch counts by its watched share, 1 where that is unknown."""
    kinds = np.asarray(batch.column("kind").to_numpy(zero_copy_only=False))
    rows = table.rows(batch.column("item").to_numpy(zero_copy_only=False).astype(ID_DTYPE))
    at_ms = batch.column("at_ms").to_numpy()
    watched = batch.column("watched_ms").to_numpy(zero_copy_only=False).astype(np.float64)
    duration = batch.column("duration_ms").to_numpy(zero_copy_only=False).astype(np.float64)
    known = np.isfinite(watched) & np.isfinite(duration) & (duration > 0)
    share = np.divide(watched, duration, out=np.ones(len(rows)), where=known).clip(0, 1).astype(np.float32)
    for kind in ("watch", "impression", "click"):
        these = np.flatnonzero(kinds == kind)
        weights = share[these] if kind == "watch" else np.ones(len(these), np.float32)
        popularity.add(kind, rows[these], at_ms[these], weights)
