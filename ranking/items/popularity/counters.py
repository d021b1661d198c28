"""Popularity: exponentially decayed counts of watches, impressions and clicks, at several half-lives.

A watch counts once per viewer and item (`audience`). Two more rules keep a few viewers from moving an item:
the largest contribution to an item is left out, and new viewers count only where there are many of them.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from reelrank.index_mappings.event import DAY_MS
from reelrank.ranking.distinct import sort_distinct
from reelrank.ranking.items.engagements import Engagements
from reelrank.ranking.items.popularity.audience import Audience, Contributions
from reelrank.ranking.items.popularity.exposures import (
    EXPOSURES,
    SPARE_ROWS,
    DailyFirsts,
    Exposure,
    Exposures,
)
from reelrank.ranking.items.popularity.half_lives import (
    COMPARED_DAYS,
    DEFAULT_HALF_LIFE_DAYS,
    HALF_LIVES_DAYS,
    find_half_life,
    smooth_shares,
)
from reelrank.ranking.items.popularity.slot_counts import SlotCounts
from reelrank.ranking.items.popularity.sorted_codes import unite_rows
from reelrank.ranking.items.watch_columns import Codes, WatchColumns

HEAD_ROWS = 4096
"""Most watched rows that stay sorted at each half-life. The next heads consist of rows of these and of rows
just watched; where all items of one fall, an item just below it may be missed until it is watched again."""
ORIGIN_DAYS = 300
"""Weights double each day at the shortest half-life: 2^300 is far below the float64 maximum of 2^1024."""
MATURE_VIEWERS = 100
"""Established viewers from which the rules against bought popularity apply in full. A choice."""
NEW_VIEWERS_IGNORED, NEW_VIEWER_WEIGHT = 100.0, 0.1
"""New viewers count for an item beyond the first hundred (decayed), at a tenth each. A choice."""
ROUNDING = 1e-9
"""Share of an item's contributions below which what is left without the largest is a rounding error."""

Rows = NDArray[np.intp]
Floats = NDArray[np.float32]
Counts = NDArray[np.float64]
RowFilter = Callable[[Rows], NDArray[np.bool_]]


class Popularity:
    """Counters for `size` rows of an item table.

    Counts are in units of an event at `origin_ms`, so they do not change as time passes (forward decay,
    Cormode et al. 2009). Shares need no other unit; rates are decayed to `now_ms`, the time of the newest
    event. One thread adds; any thread may read.
    """

    def __init__(self, size: int, key: bytes | None = None) -> None:
        """key: of the codes of viewers; None for one of its own."""
        self.engagements = Engagements()
        self.audience = Audience(key)
        self.now_ms = 0
        self.origin_ms = 0
        self._half_lives_ms = np.array(HALF_LIVES_DAYS) * DAY_MS
        self._size = size
        shape = (size, len(HALF_LIVES_DAYS))
        self._established, self._largest, self._new = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        self._totals = np.zeros((3, len(HALF_LIVES_DAYS)))
        self._above, self._trust = np.empty(0, np.intp), 0.0
        self.exposures = Exposures(size)
        self.slots = SlotCounts()
        self.daily_firsts = {kind: DailyFirsts() for kind in EXPOSURES}
        self._heads = [np.empty(0, np.intp)] * len(HALF_LIVES_DAYS)
        self._heads_ms = -1  # the time as of which they are in order

    def grow(self, size: int) -> None:
        """Adds rows behind those of before, without counts."""
        if size > len(self._new):
            room = size + SPARE_ROWS - len(self._new)
            self._established, self._largest, self._new = (
                np.pad(counts, ((0, room), (0, 0)))
                for counts in (self._established, self._largest, self._new)
            )
        self.exposures.grow(size)
        self._size = size

    def add_watches(self, watches: WatchColumns) -> None:
        """Counts watches of known rows, each viewer once per item."""
        if not len(watches):
            return
        self._advance(int(watches.at_ms.max()))
        before, after = self.audience.add(watches)
        rows, is_less = sort_distinct(before.rows), before.established > after.established
        shrunk = before.rows[is_less | (before.at_ms > after.at_ms)]
        old = np.stack(self._gather(rows))
        self._change(after, 1)
        self._change(before, -1)
        if len(shrunk):
            self._find_largest_again(sort_distinct(shrunk))
        self._totals += (np.stack(self._gather(rows)) - old).sum(axis=1)
        above = rows[(self._new[rows] > self._ignored).any(axis=1)]
        self._above = sort_distinct(np.concatenate([self._above, above]))
        trust, self._trust = self._trust, min(self.audience.count_established() / MATURE_VIEWERS, 1.0)
        is_changed = trust != self._trust
        searched = np.arange(self._size) if is_changed else unite_rows(self._size, *self._heads, rows)
        self._find_heads(searched)

    def add_exposures(self, kind: Exposure, rows: Rows, at_ms: NDArray[np.int64], weights: Floats) -> None:
        """Counts events of one kind; rows of -1 are ignored. The caller passes each engagement once."""
        known = rows >= 0
        if known.any():
            rows, at_ms, weights = rows[known], at_ms[known], weights[known]
            self._advance(int(at_ms.max()))
            self.exposures.add(kind, rows, at_ms, weights)

    def compute_exposure_weights(self, viewers: Codes) -> Floats:
        """Returns what impressions and clicks of these viewers [n] count, 0 to 1: those of established ones
        in full, those of others as long as there are few established ones."""
        is_established = self.audience.are_established(viewers)
        return np.where(is_established, 1.0, 1.0 - self._trust).astype(np.float32)

    def compute_shares(self, rows: Rows) -> Floats:
        """Returns smoothed shares [n, 5] of all decayed watches, one per half-life; 0 for rows of -1."""
        shares = self._smooth(rows).astype(np.float32)
        shares[rows < 0] = 0
        return shares

    def count_watches(self, rows: Rows) -> NDArray[np.float64]:
        """Returns the decayed watches [n] of known rows at COMPARED_DAYS, to compare items by."""
        column = find_half_life(COMPARED_DAYS)  # of one half-life: suggestions compare thousands of rows
        columns = (counts[rows, column] for counts in (self._established, self._largest, self._new))
        sums = np.stack(list(columns))
        combined = self._combine(sums, np.maximum(sums[2] - self._ignored[column], 0))
        combined[combined < ROUNDING * sums[0]] = 0
        return combined

    def get_most_watched(self) -> Rows:
        """Returns the most watched rows at COMPARED_DAYS, best first, at most HEAD_ROWS."""
        return self._heads[find_half_life(COMPARED_DAYS)]

    def compute_ctr(self, rows: Rows) -> Floats:
        """Returns clicks per impression [n], smoothed by the prior; NaN for rows of -1."""
        return self.exposures.compute_ctr(rows, self.now_ms)

    def find_most_watched(
        self, limit: int, is_allowed: RowFilter, half_life_days: float = DEFAULT_HALF_LIFE_DAYS
    ) -> tuple[Rows, Floats]:
        """Returns the `limit` most watched allowed rows at a half-life, best first, and their shares.

        All rows are searched only when the head has too few allowed ones.
        """
        index = find_half_life(half_life_days)
        is_in_order, head = self._heads_ms == self.now_ms, self._heads[index]
        found = head[is_allowed(head)]
        if not is_in_order:  # smoothed shares change with time
            found = np.sort(found)
            found = _select_best(found, self._smooth(found)[:, index], limit)
        found = found[:limit]
        if len(found) < limit and len(head) == HEAD_ROWS:
            rows = np.arange(self._size)
            rows = rows[is_allowed(rows)]
            found = _select_best(rows, self._smooth(rows)[:, index], limit)
        return found, self.compute_shares(found)[:, index]

    @property
    def _ignored(self) -> Counts:
        """Returns NEW_VIEWERS_IGNORED at `now_ms`, in the units of the counts [5]."""
        return NEW_VIEWERS_IGNORED * self._one_watch

    @property
    def _one_watch(self) -> Counts:
        """Returns what one watch at `now_ms` counts, in the units of the counts [5]."""
        return np.exp2((self.now_ms - self.origin_ms) / self._half_lives_ms)

    def _smooth(self, rows: Rows) -> Counts:
        one_watch = self._one_watch
        return smooth_shares(self._compute_counts(rows) / one_watch, self._compute_total() / one_watch)

    def _compute_counts(self, rows: Rows) -> Counts:
        """Returns the counts [n, 5] after the rules against bought popularity."""
        sums = self._gather(rows)
        counts = self._combine(sums, np.maximum(sums[2] - self._ignored, 0))
        counts[counts < ROUNDING * sums[0]] = 0
        return counts

    def _compute_total(self) -> Counts:
        return self._combine(self._totals, np.maximum(self._new[self._above] - self._ignored, 0).sum(axis=0))

    def _combine(self, sums: Sequence[Counts] | Counts, excess: Counts) -> Counts:
        """Returns established viewers without the largest contribution, and new ones beyond the ignored."""
        (established, largest, new), trust = sums, self._trust
        weighted = (1 - trust) * new + trust * NEW_VIEWER_WEIGHT * excess
        return np.asarray(established - trust * largest + weighted)

    def _weigh(self, at_ms: NDArray[np.int64]) -> Counts:
        """Returns the weights [n, 5] of events, in units of an event at `origin_ms`."""
        return np.asarray(np.exp2((at_ms - self.origin_ms)[:, None] / self._half_lives_ms))

    def _gather(self, rows: Rows) -> tuple[Counts, Counts, Counts]:
        """Returns the counts [n, 5] of established viewers, the largest contributions, and of new viewers."""
        established, largest, new = (
            counts.take(rows, axis=0) for counts in (self._established, self._largest, self._new)
        )
        return established, largest, new

    def _change(self, parts: Contributions, sign: int) -> None:
        weights = self._weigh(parts.at_ms)
        established = parts.established[:, None] * weights
        np.add.at(self._established, parts.rows, sign * established)
        np.add.at(self._new, parts.rows, sign * parts.new[:, None] * weights)
        if sign > 0:
            np.maximum.at(self._largest, parts.rows, established)

    def _find_largest_again(self, rows: Rows) -> None:
        """Finds the largest contribution of each row again, after some were taken away."""
        remaining = self.audience.list_watched(rows)
        self._largest[rows] = 0
        np.maximum.at(
            self._largest, remaining.rows, remaining.established[:, None] * self._weigh(remaining.at_ms)
        )

    def _find_heads(self, searched: Rows) -> None:
        """Finds the most watched of the given sorted rows at each half-life."""
        shares = np.ascontiguousarray(self._smooth(searched).T)
        self._heads = [_select_best(searched, column, HEAD_ROWS) for column in shares]
        self._heads_ms = self.now_ms

    def _advance(self, to_ms: int) -> None:
        """Advances `now_ms`, and the origin before weights overflow float64."""
        if to_ms - self.origin_ms > ORIGIN_DAYS * DAY_MS:
            decay = np.exp2((self.origin_ms - to_ms) / self._half_lives_ms)
            for watches in (self._established, self._largest, self._new, self._totals):
                np.multiply(watches, decay, out=watches)
            self.origin_ms = to_ms
        self.now_ms = max(self.now_ms, to_ms)


def _select_best(rows: Rows, shares: Counts, limit: int) -> Rows:
    """Returns the `limit` sorted rows with the largest shares [n] above 0, best first, ties by row."""
    if len(rows) > limit:
        is_top = shares >= np.partition(shares, -limit)[-limit]
        rows, shares = rows[is_top], shares[is_top]
    order = np.argsort(-shares, kind="stable")[:limit]
    best: Rows = rows[order[shares[order] > 0]]
    return best
