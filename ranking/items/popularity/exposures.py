"""Exposures: decayed counts of impressions, clicks and engagements, and the rates that follow from them."""

from collections.abc import Mapping
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from reelrank.index_mappings.event import DAY_MS
from reelrank.ranking.items.popularity.half_lives import CTR_HALF_LIFE, HALF_LIVES_DAYS
from reelrank.ranking.items.popularity.posterior import (
    CTR_PRIOR_CLICKS,
    CTR_PRIOR_IMPRESSIONS,
    Gains,
    Posterior,
)
from reelrank.ranking.items.popularity.sorted_codes import find_codes
from reelrank.ranking.items.watch_columns import ROW_BITS, Codes

HALF_LIFE_MS = HALF_LIVES_DAYS[CTR_HALF_LIFE] * DAY_MS
MAX_EXPONENT = 300
"""Half-lives until counts get another unit: 2^300 is far below the float64 maximum of 2^1024."""
SPARE_ROWS = 1000
"""Rows that are added at once when counters grow, so that a few new items copy nothing. A choice."""
MAX_KEYS = 1_000_000
"""Pairs of viewer and item that are remembered of one day, 8 MB for each kind. Beyond it a pair may count
twice on that day. A choice."""

Exposure = Literal["impression", "click", "engagement"]
EXPOSURES: tuple[Exposure, ...] = get_args(Exposure)
EXPECTED = "expected"
"""Engagements that the positions of an item's impressions led one to expect."""
Rows = NDArray[np.intp]
Times = NDArray[np.int64]
Floats = NDArray[np.float32]
Counts = NDArray[np.float64]


class DecayedCounts:
    """Counts by name, which halve in HALF_LIFE_MS, in units of an event at an origin."""

    def __init__(self, sizes: Mapping[str, int]) -> None:
        self.counts = {name: np.zeros(size) for name, size in sizes.items()}
        self.origin_ms = 0

    def add(self, name: str, rows: Rows, at_ms: Times, weights: Floats | Counts) -> None:
        """Counts n events."""
        newest_ms = int(at_ms.max(initial=self.origin_ms))
        if newest_ms - self.origin_ms > MAX_EXPONENT * HALF_LIFE_MS:
            decay = np.exp2((self.origin_ms - newest_ms) / HALF_LIFE_MS)
            self.counts = {each: counts * decay for each, counts in self.counts.items()}
            self.origin_ms = newest_ms
        np.add.at(self.counts[name], rows, weights * np.exp2((at_ms - self.origin_ms) / HALF_LIFE_MS))

    def compute_unit(self, now_ms: int) -> float:
        """Returns what a count of 1 is worth at `now_ms`."""
        return float(np.exp2((self.origin_ms - now_ms) / HALF_LIFE_MS))


class Exposures(DecayedCounts):
    """Counts for `size` rows. Rates are as of the time given."""

    def __init__(self, size: int) -> None:
        super().__init__(dict.fromkeys((*EXPOSURES, EXPECTED), size))

    def grow(self, size: int) -> None:
        """Adds rows behind those of before, without counts."""
        room = size + SPARE_ROWS - len(self.counts["click"])
        if room > SPARE_ROWS:
            self.counts = {kind: np.pad(counts, (0, room)) for kind, counts in self.counts.items()}

    def compute_ctr(self, rows: Rows, now_ms: int) -> Floats:
        """Returns clicks per impression [n], smoothed by the prior; NaN for rows of -1."""
        clicks, impressions = self._read("click", rows, now_ms), self._read("impression", rows, now_ms)
        rate = (clicks + CTR_PRIOR_CLICKS) / (impressions + CTR_PRIOR_IMPRESSIONS)
        return np.where(rows >= 0, rate, np.nan).astype(np.float32)

    def compute_posterior(self, rows: Rows, now_ms: int) -> Posterior:
        """Returns the posteriors [n] of engagements per impression; the prior for rows of -1.

        Old counts decay, so the posterior of an item that is no longer shown widens again.
        """
        engaged = self._read("engagement", rows, now_ms)
        ignored = self._read("impression", rows, now_ms) - engaged
        ignored = np.maximum(ignored, 0)  # the impression of an engagement may be unrecorded
        return Posterior(engaged + CTR_PRIOR_CLICKS, ignored + CTR_PRIOR_IMPRESSIONS - CTR_PRIOR_CLICKS)

    def compute_gains(self, rows: Rows, now_ms: int) -> Gains:
        """Returns what is believed of how much more often each item [n] is used than expected."""
        return Gains(self._read("engagement", rows, now_ms), self._read(EXPECTED, rows, now_ms))

    def _read(self, kind: str, rows: Rows, now_ms: int) -> Counts:
        """Returns counts [n] decayed to `now_ms`; 0 for rows of -1."""
        return np.where(rows >= 0, self.counts[kind][rows] * self.compute_unit(now_ms), 0.0)


class DailyFirsts:
    """Finds the first event of each viewer with each item on each day, so that repeats do not count.

    It remembers the sorted keys of the newest day. Days are those of receipt, which clients cannot choose.
    """

    def __init__(self) -> None:
        self.day = -1
        self.keys = np.empty(0, np.uint64)

    def find(self, viewers: Codes, rows: Rows, days: Times) -> Rows:
        """Returns the sorted indexes [k] of the firsts among n events that follow those of earlier calls."""
        keys = (viewers << ROW_BITS) | rows.astype(np.uint64)
        order = np.lexsort((np.arange(len(keys)), keys, days))
        is_first = np.diff(days[order], prepend=-2).astype(bool)
        is_first[1:] |= keys[order][1:] != keys[order][:-1]
        first: Rows = np.sort(order[is_first])
        first = first[(days[first] != self.day) | ~find_codes(self.keys, keys[first])[1]]
        self._remember(keys[first], days[first])
        return first

    def _remember(self, keys: Codes, days: Times) -> None:
        newest = int(days.max(initial=self.day))
        kept = self.keys if newest == self.day and len(self.keys) < MAX_KEYS else self.keys[:0]
        new = np.sort(keys[days == newest])
        self.day, self.keys = newest, np.insert(kept, np.searchsorted(kept, new), new)
