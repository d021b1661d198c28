"""Watches for tests of popularity: columns built by hand, without an item table."""

from collections.abc import Sequence

import numpy as np

from reelrank.index_mappings.event import DAY_MS
from reelrank.ranking.items.popularity.counters import Popularity
from reelrank.ranking.items.watch_columns import LOADED_MS, WatchColumns


def build_watches(
    viewers: Sequence[int] | range,
    rows: int | Sequence[int] | range,
    days: float | Sequence[float] = 1,
    shares: float | Sequence[float] = 1,
    received_days: float | None = None,
) -> WatchColumns:
    """Builds one watch for each viewer; other values are shared where they are single numbers.

    received_days: None for loaded watches.
    """
    n = len(viewers)
    received_ms = LOADED_MS if received_days is None else round(received_days * DAY_MS)
    return WatchColumns(
        np.array(viewers, np.uint64),
        np.array(np.broadcast_to(rows, n), np.intp),
        np.array(np.broadcast_to(np.array(days) * DAY_MS, n), np.int64),
        np.array(np.broadcast_to(shares, n), np.float32),
        np.full(n, received_ms, np.int64),
        np.zeros(n, np.float32),
    )


def count(size: int, *watches: WatchColumns) -> Popularity:
    popularity = Popularity(size)
    for each in watches:
        popularity.add_watches(each)
    return popularity
