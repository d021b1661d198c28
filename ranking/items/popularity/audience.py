"""The audience: who watched what, each viewer once per item, and which viewers count.

Popularity cannot be bought by events, because a viewer counts once per item however often they send one, and
not by new viewers, because they count less than established ones. A viewer is established when events of
theirs were received a week apart, or when the operator loaded their history. Addresses are not needed.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reelrank.index_mappings.event import DAY_MS
from reelrank.ranking.items.watch_columns import LOADED_MS, Codes, WatchColumns

ESTABLISHED_AFTER_MS = 7 * DAY_MS
"""Time between the first and the last watch of a viewer who counts as established. A choice: an attack then
takes a week of preparation, and most viewers of a service come back within one."""
BOT_HOURS = 48.0
"""A viewer who would have watched for longer in one day is a bot: several people may share an account, but
nobody can explain twice the hours of a day."""
KEY_BYTES = 16
MAX_PAIRS, MAX_VIEWERS = 1_000_000, 500_000
"""Newest pairs of viewer and item, and newest viewers, that are remembered: 45 MB. An older one may count
twice, or be new again. A choice."""
ROW_BITS, ROW_MASK = np.uint64(24), np.uint64((1 << 24) - 1)
"""A pair is one integer of 64 bits: VIEWER_BITS of the viewer, and the row."""
Rows = NDArray[np.intp]
Times = NDArray[np.int64]
CounterArrays = Mapping[str, NDArray[Any]]
PAIR_COLUMNS = ("_keys", "_shares", "_at_ms", "_hours")
VIEWER_COLUMNS = ("_viewers", "_first_ms", "_last_ms", "_is_established", "_is_bot")


@dataclass(frozen=True, slots=True, eq=False)
class Contributions:
    """What k pairs add to the counts of their rows. at_ms: of the newest watch.

    established, new: the watched share [k] where the viewer is of that group and no bot, else 0.
    """

    rows: Rows
    at_ms: Times
    established: NDArray[np.float32]
    new: NDArray[np.float32]


class Audience:
    """Pairs of viewer and item, each with its longest share and its newest time; and facts about viewers.

    The result depends on the set of watches, not on their order, as long as nothing is forgotten.
    key: of the codes of viewers (`hash_viewers`); None for one that nobody knows.
    """

    def __init__(self, key: bytes | None = None) -> None:
        self.key = secrets.token_bytes(KEY_BYTES) if key is None else key
        self._keys = np.empty(0, np.uint64)
        self._shares = np.empty(0, np.float32)
        self._at_ms = np.empty(0, np.int64)
        self._hours = np.empty(0, np.float32)
        self._viewers = np.empty(0, np.uint64)
        self._first_ms = np.empty(0, np.int64)
        self._last_ms = np.empty(0, np.int64)
        self._is_established = np.empty(0, bool)
        self._is_bot = np.empty(0, bool)

    def capture(self) -> CounterArrays:
        """Returns what is remembered; these arrays are replaced or changed when watches are added."""
        return {name: getattr(self, name) for name in (*PAIR_COLUMNS, *VIEWER_COLUMNS)}

    def restore(self, arrays: CounterArrays, new_rows: Rows) -> None:
        """Sets what `capture` returned. new_rows [n]: where each row of then is now; none is -1."""
        for name in VIEWER_COLUMNS:
            setattr(self, name, np.array(arrays[name]))
        keys = arrays["_keys"]
        keys = (keys & ~ROW_MASK) | new_rows[(keys & ROW_MASK).astype(np.intp)].astype(np.uint64)
        order = np.argsort(keys, kind="stable")
        self._keys = keys[order]
        for name in PAIR_COLUMNS[1:]:
            setattr(self, name, arrays[name][order])

    def count_established(self) -> int:
        """Returns how many established viewers there are that are no bots."""
        return int(np.count_nonzero(self._is_established & ~self._is_bot))

    def count_remembered(self) -> tuple[int, int]:
        """Returns how many pairs and viewers are remembered."""
        return len(self._keys), len(self._viewers)

    def are_established(self, viewers: Codes) -> NDArray[np.bool_]:
        """Returns which viewers [n] are established and no bots."""
        return _read_flags(self._viewers, self._is_established & ~self._is_bot, viewers)

    def are_bots(self, viewers: Codes) -> NDArray[np.bool_]:
        """Returns which viewers [n] are bots."""
        return _read_flags(self._viewers, self._is_bot, viewers)

    def add(self, watches: WatchColumns) -> tuple[Contributions, Contributions]:
        """Adds watches; returns the contributions that changed as they were before, and as they are now."""
        keys = (watches.viewers << ROW_BITS) | watches.rows.astype(np.uint64)
        viewers, pairs = np.unique(watches.viewers), np.unique(keys)
        self._insert(viewers, pairs)
        before = self._list_contributions(np.searchsorted(self._keys, pairs))
        flags_before = self._is_established.copy(), self._is_bot.copy()
        self._update_pairs(np.searchsorted(self._keys, keys), watches)
        self._update_viewers(np.searchsorted(self._viewers, watches.viewers), watches)
        self._find_bots(viewers)
        changed = np.flatnonzero(
            (self._is_established != flags_before[0]) | (self._is_bot != flags_before[1])
        )
        others = np.setdiff1d(self._locate_pairs(changed), np.searchsorted(self._keys, pairs))
        before = _concatenate(before, self._list_contributions(others, flags_before))
        after = self._list_contributions(np.concatenate([np.searchsorted(self._keys, pairs), others]))
        self._forget_oldest()
        return before, after

    def list_watched(self, rows: Rows) -> Contributions:
        """Returns the contributions of all remembered pairs of these rows."""
        return self._list_contributions(
            np.flatnonzero(np.isin(self._keys & ROW_MASK, rows.astype(np.uint64)))
        )

    def _insert(self, viewers: Codes, pairs: Codes) -> None:
        """Makes room for viewers and pairs that are not known yet; their shares are 0."""
        new = viewers[~_find(self._viewers, viewers)[1]]
        positions = np.searchsorted(self._viewers, new)
        self._viewers = np.insert(self._viewers, positions, new)
        self._first_ms = np.insert(self._first_ms, positions, np.iinfo(np.int64).max)
        self._last_ms = np.insert(self._last_ms, positions, np.iinfo(np.int64).min)
        self._is_established = np.insert(self._is_established, positions, False)
        self._is_bot = np.insert(self._is_bot, positions, False)
        new = pairs[~_find(self._keys, pairs)[1]]
        positions = np.searchsorted(self._keys, new)
        self._keys = np.insert(self._keys, positions, new)
        self._shares = np.insert(self._shares, positions, 0)
        self._at_ms = np.insert(self._at_ms, positions, 0)
        self._hours = np.insert(self._hours, positions, 0)

    def _update_pairs(self, positions: Rows, watches: WatchColumns) -> None:
        np.maximum.at(self._shares, positions, watches.shares)
        np.maximum.at(self._at_ms, positions, watches.at_ms)
        np.maximum.at(self._hours, positions, watches.hours)

    def _update_viewers(self, positions: Rows, watches: WatchColumns) -> None:
        is_loaded = watches.received_ms == LOADED_MS
        received = np.where(is_loaded, watches.at_ms, watches.received_ms)
        np.minimum.at(self._first_ms, positions, received)
        np.maximum.at(self._last_ms, positions, received)
        self._is_established[positions[is_loaded]] = True
        self._is_established[positions] |= (
            self._last_ms[positions] - self._first_ms[positions] >= ESTABLISHED_AFTER_MS
        )

    def _find_bots(self, viewers: Codes) -> None:
        """Calls viewers bots whose newest watches of items add up to more than BOT_HOURS in one UTC day."""
        pairs = self._locate_pairs(np.searchsorted(self._viewers, viewers))
        owners = np.searchsorted(self._viewers, self._keys[pairs] >> ROW_BITS)
        order = np.lexsort((self._at_ms[pairs] // DAY_MS, owners))
        owners, days, hours = owners[order], self._at_ms[pairs][order] // DAY_MS, self._hours[pairs][order]
        starts = np.flatnonzero(
            np.diff(owners, prepend=-1).astype(bool) | np.diff(days, prepend=-1).astype(bool)
        )
        if len(starts):
            totals = np.add.reduceat(hours.astype(np.float64), starts)
            self._is_bot[owners[starts[totals > BOT_HOURS]]] = True

    def _locate_pairs(self, viewers: Rows) -> Rows:
        """Returns the positions of all pairs of these viewers, given by position."""
        codes = self._viewers[viewers]
        first = np.searchsorted(self._keys, codes << ROW_BITS)
        counts = np.searchsorted(self._keys, (codes << ROW_BITS) | ROW_MASK, "right") - first
        within = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
        return np.asarray(np.repeat(first, counts) + within, np.intp)

    def _list_contributions(
        self, pairs: Rows, flags: tuple[NDArray[np.bool_], NDArray[np.bool_]] | None = None
    ) -> Contributions:
        """Returns what these pairs count.

        flags: whether viewers are established, and bots; as of now by default.
        """
        is_established, is_bot = flags or (self._is_established, self._is_bot)
        owners = np.searchsorted(self._viewers, self._keys[pairs] >> ROW_BITS)
        owners = np.minimum(owners, len(self._viewers) - 1)
        shares = np.where(is_bot[owners], np.float32(0), self._shares[pairs])
        established = np.where(is_established[owners], shares, np.float32(0))
        rows = (self._keys[pairs] & ROW_MASK).astype(np.intp)
        return Contributions(rows, self._at_ms[pairs], established, shares - established)

    def _forget_oldest(self) -> None:
        """Forgets the oldest tenth when there are too many; what they contributed stays counted."""
        if len(self._keys) > MAX_PAIRS:
            self._keep_pairs(self._at_ms > np.quantile(self._at_ms, 0.1))
        if len(self._viewers) > MAX_VIEWERS:
            is_recent = self._last_ms > np.quantile(self._last_ms, 0.1)
            self._viewers, self._is_established = self._viewers[is_recent], self._is_established[is_recent]
            self._first_ms, self._last_ms, self._is_bot = (
                self._first_ms[is_recent], self._last_ms[is_recent], self._is_bot[is_recent],
            )  # fmt: skip
            self._keep_pairs(_find(self._viewers, self._keys >> ROW_BITS)[1])

    def _keep_pairs(self, kept: NDArray[np.bool_]) -> None:
        self._keys, self._shares = self._keys[kept], self._shares[kept]
        self._at_ms, self._hours = self._at_ms[kept], self._hours[kept]


def _find(sorted_codes: Codes, wanted: Codes) -> tuple[Rows, NDArray[np.bool_]]:
    """Returns the position [n] of each wanted code, and whether it is there."""
    positions = np.minimum(np.searchsorted(sorted_codes, wanted), max(len(sorted_codes) - 1, 0))
    if not len(sorted_codes):
        return positions, np.zeros(len(wanted), bool)
    return positions, np.asarray(sorted_codes[positions] == wanted, bool)


def _read_flags(viewers: Codes, flags: NDArray[np.bool_], wanted: Codes) -> NDArray[np.bool_]:
    positions, found = _find(viewers, wanted)
    return found & flags[positions] if len(viewers) else found


def _concatenate(first: Contributions, second: Contributions) -> Contributions:
    columns = ((getattr(part, name) for part in (first, second)) for name in Contributions.__slots__)
    return Contributions(*(np.concatenate(list(column)) for column in columns))
