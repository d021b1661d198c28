"""Watch events as columns, the input of embedding training."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from reelrank.index_mappings.event import EVENT_SCHEMA
from reelrank.index_mappings.match import ID_DTYPE, ItemIds
from reelrank.ranking.viewers.taste import UNKNOWN_SHARE


@dataclass(frozen=True, slots=True, eq=False)
class Watches:
    """m watches in the order of time.

    users, items int32 [m]: indexes into the sorted `user_ids` and `item_ids`. at_ms int64 [m].
    weights float32 [m]: watched share, 0 to 1; UNKNOWN_SHARE where it is unknown.
    """

    user_ids: NDArray[np.str_]
    item_ids: ItemIds
    users: NDArray[np.int32]
    items: NDArray[np.int32]
    at_ms: NDArray[np.int64]
    weights: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.users)

    def keep_newest(self, limit: int) -> "Watches":
        """Returns the newest `limit` watches of each user."""
        order = np.lexsort((-np.arange(len(self)), self.users))
        starts = np.flatnonzero(np.diff(self.users[order], prepend=-1))
        rank = np.arange(len(self)) - np.repeat(starts, np.diff(np.append(starts, len(self))))
        newest = np.sort(order[rank < limit])
        return replace(
            self,
            users=self.users[newest],
            items=self.items[newest],
            at_ms=self.at_ms[newest],
            weights=self.weights[newest],
        )

    def to_user_matrix(self) -> csr_matrix:
        """Returns a float32 matrix [users, items] of the largest weight of each pair."""
        shape = (len(self.user_ids), len(self.item_ids))
        keys = self.users.astype(np.int64) * shape[1] + self.items
        pairs, pair_of_watch = np.unique(keys, return_inverse=True)
        largest = np.zeros(len(pairs), np.float32)
        np.maximum.at(largest, pair_of_watch, self.weights)
        return csr_matrix((largest, (pairs // shape[1], pairs % shape[1])), shape=shape)


def select_watches(events: pa.Table, before_ms: int) -> Watches:
    """Selects the watches before a time (exclusive, ms since 1970) from a table of EVENT_SCHEMA."""
    columns = events.select(["kind", "user", "item", "at_ms", "watched_ms", "duration_ms"])
    at_ms = columns["at_ms"].to_numpy()
    rows = np.flatnonzero((columns["kind"].to_numpy() == "watch") & (at_ms < before_ms))
    rows = rows[np.argsort(at_ms[rows], kind="stable")]
    watches = columns.take(pa.array(rows))
    user_ids, users = np.unique(watches["user"].to_numpy().astype(np.str_), return_inverse=True)
    item_ids, items = np.unique(watches["item"].to_numpy().astype(ID_DTYPE), return_inverse=True)
    share = _to_floats(watches["watched_ms"]) / _to_floats(watches["duration_ms"])
    weights = np.nan_to_num(share, nan=UNKNOWN_SHARE).clip(0, 1).astype(np.float32)
    return Watches(user_ids, item_ids, users.astype(np.int32), items.astype(np.int32), at_ms[rows], weights)


def build_event_table(batches: Iterable[pa.RecordBatch]) -> pa.Table:
    """Concatenates batches of EVENT_SCHEMA."""
    return pa.Table.from_batches(batches, EVENT_SCHEMA)


def _to_floats(column: pa.ChunkedArray) -> NDArray[np.float64]:
    """Converts to float64 with NaN for null and 0, so that a quotient is NaN where it is unknown."""
    numbers = column.to_numpy().astype(np.float64)
    return np.where(numbers > 0, numbers, np.nan)
