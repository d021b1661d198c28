"""Popularity: exponentially decayed counts of watches, impressions and clicks, at several half-lives."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from reelrank.index_mappings.event import DAY_MS
from reelrank.index_mappings.match import ID_DTYPE
from reelrank.ranking.items.engagements import Engagements
from reelrank.ranking.items.table import ItemTable

HALF_LIVES_DAYS = (1.0, 7.0, 30.0, 365.0)
POPULAR_HALF_LIFE = 1
"""Index into HALF_LIVES_DAYS: popularity now counts watches with a half-life of a week."""
HEAD_ROWS = 4096
"""Number of most watched rows that stay sorted. Counts only grow, so the next head consists of rows of this
one and of rows that were just watched."""
ORIGIN_DAYS = 300
"""Weights double each day at the shortest half-life: 2^300 is far below the float64 maximum of 2^1024."""
CTR_HALF_LIFE = 2
"""Index into HALF_LIVES_DAYS: click-through is counted over about a month."""
CTR_PRIOR_CLICKS, CTR_PRIOR_IMPRESSIONS = 1.0, 20.0
"""The prior of an item that was never shown: one click in twenty impressions."""

Rows = NDArray[np.intp]
Floats = NDArray[np.float32]
RowFilter = Callable[[Rows], NDArray[np.bool_]]


@dataclass(frozen=True, slots=True, eq=False)
class Posterior:
    """Beta(alpha, beta) posteriors [n] of engagements per impression, including the prior."""

    alpha: NDArray[np.float64]
    beta: NDArray[np.float64]


class Popularity:
    """Counters for `size` rows of an item table.

    Counts are in units of an event at `origin_ms`, so they do not change as time passes (forward decay,
    Cormode et al. 2009). Shares need no other unit; rates are decayed to `now_ms`, the time of the newest
    event. One thread adds; any thread may read.
    """

    def __init__(self, size: int) -> None:
        self.engagements = Engagements()
        self.now_ms = 0
        self.origin_ms = 0
        self._half_lives_ms = np.array(HALF_LIVES_DAYS) * DAY_MS
        self._watches = np.zeros((size, len(HALF_LIVES_DAYS)))
        self._total = np.zeros(len(HALF_LIVES_DAYS))
        self._impressions = np.zeros(size)
        self._clicks = np.zeros(size)
        self._engaged = np.zeros(size)
        self._head = np.empty(0, np.intp)

    def add(self, kind: str, rows: Rows, at_ms: NDArray[np.int64], weights: Floats) -> None:
        """Counts events of one kind; rows of -1 and kinds without a counter are ignored."""
        known = rows >= 0
        if kind not in ("watch", "impression", "click") or not known.any():
            return
        rows, at_ms, weights = rows[known], at_ms[known], weights[known]
        self._advance(int(at_ms.max()))
        added = weights[:, None] * np.exp2((at_ms - self.origin_ms)[:, None] / self._half_lives_ms)
        if kind == "watch":
            np.add.at(self._watches, rows, added)
            self._total += added.sum(axis=0)
            self._head = self._select_best(np.union1d(self._head, rows), HEAD_ROWS)
        else:
            counter = self._impressions if kind == "impression" else self._clicks
            np.add.at(counter, rows, added[:, CTR_HALF_LIFE])

    def add_engagements(self, rows: Rows, at_ms: NDArray[np.int64]) -> None:
        """Counts engagements with shown items; the caller passes each once per page (see `engagements`)."""
        rows, at_ms = rows[rows >= 0], at_ms[rows >= 0]
        if len(rows):
            self._advance(int(at_ms.max()))
            half_life_ms = self._half_lives_ms[CTR_HALF_LIFE]
            np.add.at(self._engaged, rows, np.exp2((at_ms - self.origin_ms) / half_life_ms))

    def compute_shares(self, rows: Rows) -> Floats:
        """Returns shares [n, 4] of all decayed watches, one per half-life; 0 for rows of -1."""
        shares = (self._watches[rows] / np.maximum(self._total, 1e-300)).astype(np.float32)
        shares[rows < 0] = 0
        return shares

    def count_watches(self, rows: Rows) -> NDArray[np.float64]:
        """Returns the decayed watches [n] of known rows at the longest half-life, to compare items by."""
        return np.asarray(self._watches[rows, -1])

    def compute_ctr(self, rows: Rows) -> Floats:
        """Returns clicks per impression [n], smoothed by the prior; NaN for rows of -1."""
        now = np.exp2((self.origin_ms - self.now_ms) / self._half_lives_ms[CTR_HALF_LIFE])
        clicks, impressions = self._clicks[rows] * now, self._impressions[rows] * now
        rate = (clicks + CTR_PRIOR_CLICKS) / (impressions + CTR_PRIOR_IMPRESSIONS)
        return np.where(rows >= 0, rate, np.nan).astype(np.float32)

    def compute_posterior(self, rows: Rows) -> Posterior:
        """Returns the posteriors [n] of engagements per impression; the prior for rows of -1.

        Old counts decay, so the posterior of an item that is no longer shown widens again.
        """
        now = np.exp2((self.origin_ms - self.now_ms) / self._half_lives_ms[CTR_HALF_LIFE])
        now = np.where(rows >= 0, now, 0.0)
        engaged, impressions = self._engaged[rows] * now, self._impressions[rows] * now
        ignored = np.maximum(impressions - engaged, 0)  # the impression of an engagement may be unrecorded
        return Posterior(engaged + CTR_PRIOR_CLICKS, ignored + CTR_PRIOR_IMPRESSIONS - CTR_PRIOR_CLICKS)

    def find_most_watched(self, limit: int, is_allowed: RowFilter) -> tuple[Rows, Floats]:
        """Returns the `limit` most watched allowed rows at POPULAR_HALF_LIFE, best first, and their shares.

        All rows are searched only when the head has too few allowed ones.
        """
        head = self._head
        found = head[is_allowed(head)][:limit]
        if len(found) < limit and len(head) == HEAD_ROWS:
            watched = np.flatnonzero(self._watches[:, POPULAR_HALF_LIFE] > 0)
            found = self._select_best(watched[is_allowed(watched)], limit)
        return found, self.compute_shares(found)[:, POPULAR_HALF_LIFE]

    def list_most_watched(self, limit: int, is_allowed: RowFilter) -> Rows:
        """Returns the `limit` most watched allowed rows in the order of `count_watches`, ties by row."""
        watched = np.flatnonzero(self._watches[:, -1] > 0)
        rows = watched[is_allowed(watched)]
        return rows[np.lexsort((rows, -self.count_watches(rows)))[:limit]]

    def _select_best(self, rows: Rows, limit: int) -> Rows:
        """Returns the `limit` most watched of the given rows, best first, ties by row."""
        counts = self._watches[rows, POPULAR_HALF_LIFE]
        if len(rows) > limit:
            is_top = counts >= np.partition(counts, -limit)[-limit]
            rows, counts = rows[is_top], counts[is_top]
        order = np.lexsort((rows, -counts))[:limit]
        best: Rows = rows[order[counts[order] > 0]]
        return best

    def _advance(self, to_ms: int) -> None:
        """Advances `now_ms`, and the origin before weights overflow float64."""
        if to_ms - self.origin_ms > ORIGIN_DAYS * DAY_MS:
            decay = np.exp2((self.origin_ms - to_ms) / self._half_lives_ms)
            self._watches *= decay
            self._total *= decay
            self._impressions *= decay[CTR_HALF_LIFE]
            self._clicks *= decay[CTR_HALF_LIFE]
            self._engaged *= decay[CTR_HALF_LIFE]
            self.origin_ms = to_ms
        self.now_ms = max(self.now_ms, to_ms)


def build_popularity(table: ItemTable, events: Iterable[pa.RecordBatch]) -> Popularity:
    """Counts all events of batches of EVENT_SCHEMA."""
    popularity = Popularity(len(table))
    for batch in events:
        count_events(popularity, table, batch)
    return popularity


def count_events(popularity: Popularity, table: ItemTable, batch: pa.RecordBatch) -> None:
    """Counts the events of one batch. A watch counts by its watched share, 1 if the share is unknown."""
    kinds = np.asarray(batch.column("kind").to_numpy(zero_copy_only=False))
    rows = table.find_rows(batch.column("item").to_numpy(zero_copy_only=False).astype(ID_DTYPE))
    at_ms = batch.column("at_ms").to_numpy()
    watched = batch.column("watched_ms").to_numpy(zero_copy_only=False).astype(np.float64)
    duration = batch.column("duration_ms").to_numpy(zero_copy_only=False).astype(np.float64)
    known = np.isfinite(watched) & np.isfinite(duration) & (duration > 0)
    share = np.divide(watched, duration, out=np.ones(len(rows)), where=known).clip(0, 1).astype(np.float32)
    for kind in ("watch", "impression", "click"):
        selected = np.flatnonzero(kinds == kind)
        weights = share[selected] if kind == "watch" else np.ones(len(selected), np.float32)
        popularity.add(kind, rows[selected], at_ms[selected], weights)
    first = popularity.engagements.find_first(batch)
    popularity.add_engagements(rows[first], at_ms[first])
