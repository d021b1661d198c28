"""Preferences: what embeddings are learned from. The rules are those of `viewers.taste`, over all viewers.

Quick skips and rejected items are left out. A like counts like a complete watch.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from reelrank.index_mappings.event import LIKE_KINDS, OPINION_KINDS
from reelrank.index_mappings.match import ID_DTYPE
from reelrank.ranking.embeddings.watches import Watches
from reelrank.ranking.items.engagements import compute_watched_shares, is_skipped
from reelrank.ranking.viewers.taste import UNKNOWN_SHARE

COLUMNS = ("id", "kind", "user", "item", "at_ms", "watched_ms", "duration_ms")
NO_OPINION, LIKED, REJECTED = 0, 1, 2


def select_preferences(events: pa.Table, before_ms: int) -> Watches:
    """Selects the preferences before a time (exclusive, ms since 1970) from a table of EVENT_SCHEMA."""
    used = events.filter(
        pc.and_(
            pc.is_in(events["kind"], pa.array(("watch", *OPINION_KINDS))), pc.less(events["at_ms"], before_ms)
        )
    )
    used = used.select(list(COLUMNS)).sort_by([("at_ms", "ascending"), ("id", "descending")])
    user_ids, users = np.unique(used["user"].to_numpy().astype(np.str_), return_inverse=True)
    item_ids, items = np.unique(used["item"].to_numpy().astype(ID_DTYPE), return_inverse=True)
    pairs = np.unique(users * np.int64(len(item_ids)) + items, return_inverse=True)[1]
    rows, weights = _weigh(used, pairs)
    users, items = users[rows], items[rows]
    known_users, users = np.unique(users, return_inverse=True)
    known_items, items = np.unique(items, return_inverse=True)
    return Watches(
        user_ids[known_users], item_ids[known_items], users.astype(np.int32), items.astype(np.int32),
        used["at_ms"].to_numpy()[rows], weights,
    )  # fmt: skip


def _weigh(used: pa.Table, pairs: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Returns the kept rows, and their weights. used: in the order of time; pairs: of each row."""
    kinds = used["kind"].to_numpy()
    is_watch, is_like = kinds == "watch", np.isin(kinds, LIKE_KINDS)
    shares = compute_watched_shares(*(_to_floats(used[name]) for name in ("watched_ms", "duration_ms")))
    opinions = _find_opinions(kinds, pairs)
    largest = np.full(len(opinions), -1, np.float32)
    np.maximum.at(largest, pairs[is_watch], np.nan_to_num(shares[is_watch], nan=UNKNOWN_SHARE))
    is_watched, is_liked = largest >= 0, opinions == LIKED
    is_preferred = is_liked | (is_watched & ~is_skipped(largest) & (opinions == NO_OPINION))
    is_told_by = np.where(is_watch, is_watched[pairs], is_like & ~is_watched[pairs])
    rows = np.flatnonzero(is_told_by & is_preferred[pairs])
    weights = np.where(is_liked[pairs], 1, np.nan_to_num(shares, nan=UNKNOWN_SHARE))
    return rows, weights[rows].astype(np.float32)


def _find_opinions(kinds: NDArray[np.object_], pairs: NDArray[np.intp]) -> NDArray[np.int8]:
    """Returns the newest opinion of each pair; rows are in the order of time."""
    opinions = np.full(int(pairs.max(initial=-1)) + 1, NO_OPINION, np.int8)
    rows = np.flatnonzero(np.isin(kinds, OPINION_KINDS))
    codes = np.where(
        np.isin(kinds[rows], LIKE_KINDS), LIKED, np.where(kinds[rows] == "undo", NO_OPINION, REJECTED)
    )
    last = len(rows) - 1 - np.unique(pairs[rows][::-1], return_index=True)[1]
    opinions[pairs[rows[last]]] = codes[last]
    return opinions


def _to_floats(column: pa.ChunkedArray) -> NDArray[np.float64]:
    """Converts to float64 with NaN for null."""
    return np.asarray(column.to_numpy(), np.float64)
