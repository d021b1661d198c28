"""The audience: who watched what, each viewer once per item, and which viewers count.

Popularity cannot be bought by events: a viewer counts once per item however often they send one, and on a day
of very many items or events for less. Nor by new viewers, who count less than established ones. A viewer is
established when events of theirs were received a week apart, or when the operator loaded their history.
Addresses are not needed.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reelrank.index_mappings.event import DAY_MS
from reelrank.ranking.distinct import sort_distinct
from reelrank.ranking.items.popularity.sorted_codes import find_codes, group_days, order_with_new, read_flags
from reelrank.ranking.items.watch_columns import LOADED_MS, ROW_BITS, Codes, WatchColumns

ESTABLISHED_AFTER_MS = 7 * DAY_MS
"""Time between the first and the last watch of a viewer who counts as established. A choice: an attack then
takes a week of preparation, and most viewers of a service come back within one."""
BOT_HOURS = 48.0
"""A viewer who would have watched for longer in one day is a bot: several people may share an account, but
nobody can explain twice the hours of a day."""
DAILY_ITEMS, DAILY_EVENTS = 20.0, 200.0
"""Items, and watch events, received on one UTC day for which a viewer counts in full. Beyond the items each
counts less, in proportion. Beyond the events, which nobody needs, with the square of it: with 3,000 events, a
225th. Choices; a player that reports each minute sends 200 events in 200 minutes."""
KEY_BYTES = 16
MAX_PAIRS, MAX_VIEWERS = 1_000_000, 500_000
"""Newest pairs of viewer and item, and newest viewers, that are remembered: 57 MB. An older one may count
twice, or be new again. A choice."""
NOT_RECEIVED = -1
"""The day of receipt of a pair that was loaded only."""
ROW_MASK = (np.uint64(1) << ROW_BITS) - np.uint64(1)
Rows = NDArray[np.intp]
Times = NDArray[np.int64]
CounterArrays = Mapping[str, NDArray[Any]]
NEW_PAIR = {"_shares": 0, "_at_ms": 0, "_hours": 0, "_received_day": NOT_RECEIVED, "_events": 0}
NEW_PAIR |= {"_damping": 1, "_earlier_ms": 0, "_earlier_weight": 0, "_loaded_ms": 0}
NEW_VIEWER = {"_first_ms": 2**63 - 1, "_last_ms": -(2**63), "_is_established": False, "_is_bot": False}
"""What is known of a pair and of a viewer before their first watch is added, by column."""
PAIR_COLUMNS, VIEWER_COLUMNS = ("_keys", *NEW_PAIR), ("_viewers", *NEW_VIEWER)


@dataclass(frozen=True, slots=True, eq=False)
class Contributions:
    """What k pairs add to the counts of their rows. at_ms: of the watch.

    established, new: the watched share [k] where the viewer is of that group, else 0; of a bot, as loaded.
    """

    rows: Rows
    at_ms: Times
    established: NDArray[np.float32]
    new: NDArray[np.float32]

    def join(self, other: "Contributions") -> "Contributions":
        columns = ((getattr(part, name) for part in (self, other)) for name in self.__slots__)
        return Contributions(*(np.concatenate(list(column)) for column in columns))


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
        self._received_day = np.empty(0, np.int32)
        self._events = np.empty(0, np.int32)
        self._damping = np.empty(0, np.float32)
        self._earlier_ms = np.empty(0, np.int64)
        self._earlier_weight = np.empty(0, np.float32)
        self._loaded_ms = np.empty(0, np.int64)
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
        return read_flags(self._viewers, self._is_established & ~self._is_bot, viewers)

    def are_bots(self, viewers: Codes) -> NDArray[np.bool_]:
        """Returns which viewers [n] are bots."""
        return read_flags(self._viewers, self._is_bot, viewers)

    def add(self, watches: WatchColumns) -> tuple[Contributions, Contributions]:
        """Adds watches; returns the contributions that changed as they were before, and as they are now."""
        keys = (watches.viewers << ROW_BITS) | watches.rows.astype(np.uint64)
        viewers, pairs = sort_distinct(watches.viewers), sort_distinct(keys)
        self._insert(viewers, pairs)
        before = self._list_contributions(np.searchsorted(self._keys, pairs))
        flags_before = self._is_established.copy(), self._is_bot.copy()
        damping_before = self._damping.copy()
        self._update_pairs(np.searchsorted(self._keys, keys), watches)
        self._update_viewers(np.searchsorted(self._viewers, watches.viewers), watches)
        self._judge_days(self._locate_pairs(np.searchsorted(self._viewers, viewers)))
        is_changed = (self._is_established != flags_before[0]) | (self._is_bot != flags_before[1])
        damped = np.flatnonzero(self._damping != damping_before)
        others = sort_distinct(np.concatenate([self._locate_pairs(np.flatnonzero(is_changed)), damped]))
        others = np.setdiff1d(others, np.searchsorted(self._keys, pairs), assume_unique=True)
        before = before.join(self._list_contributions(others, flags_before, damping_before))
        after = self._list_contributions(np.searchsorted(self._keys, pairs))
        after = after.join(self._list_contributions(others))
        self._forget_oldest()
        return before, after

    def list_watched(self, rows: Rows) -> Contributions:
        """Returns the contributions of all remembered pairs of these rows."""
        is_listed = np.isin((self._keys & ROW_MASK).astype(np.intp), rows, kind="table")
        return self._list_contributions(np.flatnonzero(is_listed))

    def _insert(self, viewers: Codes, pairs: Codes) -> None:
        """Makes room for viewers and pairs that are not known yet; their shares are 0."""
        for name, codes, fills in (("_viewers", viewers, NEW_VIEWER), ("_keys", pairs, NEW_PAIR)):
            known = getattr(self, name)
            new = codes[~find_codes(known, codes)[1]]
            if len(new):
                order = order_with_new(known, new)
                for column, fill in ((name, new), *fills.items()):
                    values = getattr(self, column)
                    added = np.full(len(new), fill, values.dtype)
                    setattr(self, column, np.append(values, added).take(order))

    def _update_pairs(self, positions: Rows, watches: WatchColumns) -> None:
        loaded = watches.received_ms == LOADED_MS
        days = np.where(loaded, NOT_RECEIVED, watches.received_ms // DAY_MS).astype(np.int32)
        self._begin_days(sort_distinct(positions[days > self._received_day[positions]]))
        np.maximum.at(self._received_day, positions, days)
        is_newest = days == self._received_day[positions]
        np.add.at(self._events, positions[is_newest], 1)
        np.maximum.at(self._loaded_ms, positions[loaded], watches.at_ms[loaded])
        loaded_late = positions[loaded & ~is_newest]
        np.maximum.at(self._earlier_ms, loaded_late, watches.at_ms[loaded & ~is_newest])
        self._earlier_weight[loaded_late] = 1
        np.maximum.at(self._shares, positions, watches.shares)
        np.maximum.at(self._at_ms, positions, watches.at_ms)
        np.maximum.at(self._hours, positions, watches.hours)

    def _begin_days(self, pairs: Rows) -> None:
        """Keeps what these pairs counted: a busy day that begins takes nothing from what was before."""
        kept = pairs[(self._damping[pairs] >= self._earlier_weight[pairs]) & (self._at_ms[pairs] > 0)]
        self._earlier_ms[kept], self._earlier_weight[kept] = self._at_ms[kept], self._damping[kept]
        self._events[pairs] = 0

    def _update_viewers(self, positions: Rows, watches: WatchColumns) -> None:
        is_loaded = watches.received_ms == LOADED_MS
        received = np.where(is_loaded, watches.at_ms, watches.received_ms)
        np.minimum.at(self._first_ms, positions, received)
        np.maximum.at(self._last_ms, positions, received)
        self._is_established[positions[is_loaded]] = True
        known_ms = self._last_ms[positions] - self._first_ms[positions]
        self._is_established[positions] |= known_ms >= ESTABLISHED_AFTER_MS

    def _judge_days(self, pairs: Rows) -> None:
        """Judges viewers by days, from all their pairs: who is a bot, and what counts less on a busy day."""
        owners = np.searchsorted(self._viewers, self._keys[pairs] >> ROW_BITS)
        order, starts = group_days(owners, self._at_ms[pairs] // DAY_MS)
        if not len(starts):
            return
        hours = np.add.reduceat(self._hours[pairs][order].astype(np.float64), starts)
        self._is_bot[owners[order][starts[hours > BOT_HOURS]]] = True
        days = self._received_day[pairs]
        order, starts = group_days(owners, days)
        items = np.diff(np.append(starts, len(order)))
        events = np.add.reduceat(self._events[pairs][order].astype(np.int64), starts)
        weights = np.minimum(np.minimum(DAILY_ITEMS / items, (DAILY_EVENTS / events) ** 2), 1.0)
        weights[days[order[starts]] == NOT_RECEIVED] = 1.0
        self._damping[pairs[order]] = np.repeat(weights, items)

    def _locate_pairs(self, viewers: Rows) -> Rows:
        """Returns the positions of all pairs of these viewers, given by position."""
        codes = self._viewers[viewers]
        first = np.searchsorted(self._keys, codes << ROW_BITS)
        counts = np.searchsorted(self._keys, (codes << ROW_BITS) | ROW_MASK, "right") - first
        within = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
        return np.asarray(np.repeat(first, counts) + within, np.intp)

    def _list_contributions(
        self,
        pairs: Rows,
        flags: tuple[NDArray[np.bool_], NDArray[np.bool_]] | None = None,
        damping: NDArray[np.float32] | None = None,
    ) -> Contributions:
        """Returns what these pairs count: first each newest watch, then each earlier one.

        flags: whether viewers are established, and bots. damping: of all pairs. Both as of now by default.
        """
        is_established, is_bot = flags or (self._is_established, self._is_bot)
        damping = (self._damping if damping is None else damping)[pairs]
        owners = np.searchsorted(self._viewers, self._keys[pairs] >> ROW_BITS)
        owners = np.tile(np.minimum(owners, len(self._viewers) - 1), 2)
        weights = np.concatenate([damping, (1 - damping) * self._earlier_weight[pairs]])
        at_ms = np.concatenate([self._at_ms[pairs], self._earlier_ms[pairs]])
        loaded_ms = np.concatenate([self._loaded_ms[pairs], np.zeros(len(pairs), np.int64)])
        weights = np.where(is_bot[owners], loaded_ms > 0, weights).astype(np.float32)
        shares = np.tile(self._shares[pairs], 2) * weights
        established = np.where(is_established[owners], shares, np.float32(0))
        rows = np.tile((self._keys[pairs] & ROW_MASK).astype(np.intp), 2)
        at_ms = np.where(is_bot[owners], loaded_ms, at_ms)
        return Contributions(rows, at_ms, established, shares - established)

    def _forget_oldest(self) -> None:
        """Forgets the oldest tenth when there are too many; what they contributed stays counted."""
        if len(self._keys) > MAX_PAIRS:
            self._keep_pairs(self._at_ms > np.quantile(self._at_ms, 0.1))
        if len(self._viewers) > MAX_VIEWERS:
            is_recent = self._last_ms > np.quantile(self._last_ms, 0.1)
            for name in VIEWER_COLUMNS:
                setattr(self, name, getattr(self, name)[is_recent])
            self._keep_pairs(find_codes(self._viewers, self._keys >> ROW_BITS)[1])

    def _keep_pairs(self, kept: NDArray[np.bool_]) -> None:
        for name in PAIR_COLUMNS:
            setattr(self, name, getattr(self, name)[kept])
