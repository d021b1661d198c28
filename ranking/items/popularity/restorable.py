"""Counters of popularity that can be saved and restored, also for the item table of another index version."""

import numpy as np

from reelrank.ranking.items.engagements import MAX_REMEMBERED, QUICK_SKIP_MS, QUICK_SKIP_SHARE
from reelrank.ranking.items.popularity.audience import (
    BOT_HOURS,
    ESTABLISHED_AFTER_MS,
    MAX_PAIRS,
    MAX_VIEWERS,
    ROW_MASK,
    CounterArrays,
)
from reelrank.ranking.items.popularity.counters import (
    EXPOSURES,
    HEAD_ROWS,
    MATURE_VIEWERS,
    NEW_VIEWER_WEIGHT,
    NEW_VIEWERS_IGNORED,
    ORIGIN_DAYS,
    Counts,
    Popularity,
    Rows,
)
from reelrank.ranking.items.popularity.half_lives import HALF_LIVES_DAYS
from reelrank.ranking.items.watch_columns import MAX_HOURS, UNKNOWN_HOURS, VIEWER_BITS

COUNTING_RULES = repr(
    (
        HALF_LIVES_DAYS, HEAD_ROWS, ORIGIN_DAYS, MATURE_VIEWERS, NEW_VIEWERS_IGNORED, NEW_VIEWER_WEIGHT,
        ESTABLISHED_AFTER_MS, BOT_HOURS, MAX_PAIRS, MAX_VIEWERS, VIEWER_BITS, UNKNOWN_HOURS, MAX_HOURS,
        QUICK_SKIP_SHARE, QUICK_SKIP_MS, MAX_REMEMBERED,
    )
)  # fmt: skip
"""What counting depends on, as a text: counts that were made by other rules are not gone on from."""
ROW_SUMS = ("_established", "_largest", "_new")
EXPOSURE, HEAD = "_exposures", "head_"


class RestorablePopularity(Popularity):
    """Popularity whose counts can be captured and restored: it then goes on exactly as the captured one."""

    def capture(self) -> CounterArrays:
        """Returns all that was counted, without copies where that is possible."""
        sums = {name: getattr(self, name)[: self._size] for name in ROW_SUMS}
        exposures = {f"{kind}{EXPOSURE}": counts[: self._size] for kind, counts in self._exposures.items()}
        heads = {f"{HEAD}{index}": head for index, head in enumerate(self._heads)}
        times = np.array([self.now_ms, self.origin_ms])
        rest = {"_totals": self._totals, "_above": self._above, "times": times}
        return {**sums, **exposures, **heads, **rest, **self.audience.capture()}

    def restore(self, arrays: CounterArrays, new_rows: Rows | None = None) -> None:
        """Sets what `capture` returned of counters with the same key. new_rows [n]: where each of their rows
        is in this table, all different, -1 for one without counts; None if all are where they were."""
        rows = np.arange(len(arrays["_new"])) if new_rows is None else new_rows
        counted, size = np.flatnonzero(rows >= 0), len(self._new)
        for name in ROW_SUMS:
            setattr(self, name, _place(arrays[name], counted, rows, size))
        for kind in EXPOSURES:
            self._exposures[kind] = _place(arrays[f"{kind}{EXPOSURE}"], counted, rows, size)
        self._totals = np.array(arrays["_totals"])
        self.now_ms, self.origin_ms = map(int, arrays["times"])
        self._above = np.sort(rows[arrays["_above"]])
        self.audience.restore(arrays, rows)
        self._trust = min(self.audience.count_established() / MATURE_VIEWERS, 1.0)
        heads = [arrays[f"{HEAD}{index}"] for index in range(len(self._heads))]
        if new_rows is None:
            self._heads = [np.array(head) for head in heads]
        else:
            everywhere = np.arange(self._size)
            self._heads = [self._select_best(everywhere, n, HEAD_ROWS) for n in range(len(heads))]


def find_counted(arrays: CounterArrays) -> Rows:
    """Returns the rows of captured counters that have counts, or are remembered in a pair."""
    sums = [arrays[name].any(axis=1) for name in ROW_SUMS]
    is_counted = np.logical_or.reduce([*sums, *(arrays[f"{kind}{EXPOSURE}"] > 0 for kind in EXPOSURES)])
    is_counted[(arrays["_keys"] & ROW_MASK).astype(np.intp)] = True
    return np.flatnonzero(is_counted)


def _place(counts: Counts, counted: Rows, rows: Rows, size: int) -> Counts:
    """Returns counts for `size` rows: those of `counted` rows where `rows` puts them, else 0."""
    placed = np.zeros((size, *counts.shape[1:]))
    placed[rows[counted]] = counts[counted]
    return placed
