"""Counters of popularity that can be saved and restored, also for the item table of another index version."""

import numpy as np

from reelrank.ranking.items.engagements import MAX_REMEMBERED, QUICK_SKIP_MS, QUICK_SKIP_SHARE
from reelrank.ranking.items.popularity.audience import (
    BOT_HOURS,
    DAILY_EVENTS,
    DAILY_ITEMS,
    ESTABLISHED_AFTER_MS,
    MAX_PAIRS,
    MAX_VIEWERS,
    PAIR_COLUMNS,
    ROW_MASK,
    CounterArrays,
)
from reelrank.ranking.items.popularity.counters import (
    HEAD_ROWS,
    MATURE_VIEWERS,
    NEW_VIEWER_WEIGHT,
    NEW_VIEWERS_IGNORED,
    ORIGIN_DAYS,
    Counts,
    Popularity,
    Rows,
)
from reelrank.ranking.items.popularity.exposures import EXPOSURES, MAX_EXPONENT, MAX_KEYS
from reelrank.ranking.items.popularity.half_lives import HALF_LIVES_DAYS, SMOOTHING_WATCHES
from reelrank.ranking.items.popularity.slot_counts import COUNTS, MAX_WAITING, MIN_KNOWN, WINDOW_MS
from reelrank.ranking.items.popularity.slot_rates import RULES
from reelrank.ranking.items.watch_columns import MAX_HOURS, UNKNOWN_HOURS, VIEWER_BITS, Codes

COUNTING_RULES = repr(
    (
        HALF_LIVES_DAYS, HEAD_ROWS, ORIGIN_DAYS, MATURE_VIEWERS, NEW_VIEWERS_IGNORED, NEW_VIEWER_WEIGHT,
        ESTABLISHED_AFTER_MS, BOT_HOURS, MAX_PAIRS, MAX_VIEWERS, VIEWER_BITS, UNKNOWN_HOURS, MAX_HOURS,
        QUICK_SKIP_SHARE, QUICK_SKIP_MS, MAX_REMEMBERED, DAILY_ITEMS, DAILY_EVENTS, SMOOTHING_WATCHES,
        MAX_EXPONENT, MAX_KEYS, PAIR_COLUMNS, WINDOW_MS, COUNTS, MIN_KNOWN, MAX_WAITING, RULES,
    )
)  # fmt: skip
"""What counting depends on, as a text: counts that were made by other rules are not gone on from."""
ROW_SUMS = ("_established", "_largest", "_new")
EXPOSURE, FIRSTS, HEAD = "_exposures", "_firsts", "head_"


class RestorablePopularity(Popularity):
    """Popularity whose counts can be captured and restored: it then goes on exactly as the captured one."""

    def capture(self) -> CounterArrays:
        """Returns all that was counted, without copies where that is possible."""
        sums = {name: getattr(self, name)[: self._size] for name in ROW_SUMS}
        exposures = {
            f"{kind}{EXPOSURE}": counts[: self._size] for kind, counts in self.exposures.counts.items()
        }
        firsts = {f"{kind}{FIRSTS}": found.keys for kind, found in self.daily_firsts.items()}
        heads = {f"{HEAD}{index}": head for index, head in enumerate(self._heads)}
        days = [found.day for found in self.daily_firsts.values()]
        origins = self.exposures.origin_ms, self.slots.origin_ms, self.slots.newest_ms
        times = np.array([self.now_ms, self.origin_ms, *origins, *days])
        rest = {"_totals": self._totals, "_above": self._above, "times": times, **self.slots.counts}
        return {**sums, **exposures, **firsts, **heads, **rest, **self.audience.capture()}

    def restore(self, arrays: CounterArrays, new_rows: Rows | None = None) -> None:
        """Sets what `capture` returned of counters with the same key. new_rows [n]: where each of their rows
        is in this table, all different, -1 for one without counts; None if all are where they were."""
        rows = np.arange(len(arrays["_new"])) if new_rows is None else new_rows
        counted, size = np.flatnonzero(rows >= 0), len(self._new)
        for name in ROW_SUMS:
            setattr(self, name, _place(arrays[name], counted, rows, size))
        for kind in self.exposures.counts:
            self.exposures.counts[kind] = _place(arrays[f"{kind}{EXPOSURE}"], counted, rows, size)
        for kind in EXPOSURES:
            self.daily_firsts[kind].keys = _move_keys(arrays[f"{kind}{FIRSTS}"], rows)
        self._totals = np.array(arrays["_totals"])
        self.slots.counts = {name: np.array(arrays[name]) for name in self.slots.counts}
        self.now_ms, self.origin_ms, self.exposures.origin_ms, *times = map(int, arrays["times"])
        self.slots.origin_ms, self.slots.newest_ms, *days = times
        for found, day in zip(self.daily_firsts.values(), days, strict=True):
            found.day = day
        self._above = np.sort(rows[arrays["_above"]])
        self.audience.restore(arrays, rows)
        self._trust = min(self.audience.count_established() / MATURE_VIEWERS, 1.0)
        heads = [arrays[f"{HEAD}{index}"] for index in range(len(self._heads))]
        if new_rows is None:
            self._heads = [np.array(head) for head in heads]
        else:
            self._find_heads(np.arange(self._size))


def find_counted(arrays: CounterArrays) -> Rows:
    """Returns the rows of captured counters that have counts, or are remembered in a pair."""
    sums = [arrays[name].any(axis=1) for name in ROW_SUMS]
    is_counted = np.logical_or.reduce([*sums, *(arrays[f"{kind}{EXPOSURE}"] > 0 for kind in EXPOSURES)])
    is_counted[(arrays["_keys"] & ROW_MASK).astype(np.intp)] = True
    return np.flatnonzero(is_counted)


def _move_keys(keys: Codes, rows: Rows) -> Codes:
    """Returns the sorted pairs of viewer and row with the rows of now, without those that have none."""
    moved = rows[(keys & ROW_MASK).astype(np.intp)]
    kept = moved >= 0
    return np.sort((keys[kept] & ~ROW_MASK) | moved[kept].astype(np.uint64))


def _place(counts: Counts, counted: Rows, rows: Rows, size: int) -> Counts:
    """Returns counts for `size` rows: those of `counted` rows where `rows` puts them, else 0."""
    placed = np.zeros((size, *counts.shape[1:]))
    placed[rows[counted]] = counts[counted]
    return placed
