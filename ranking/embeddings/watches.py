"""Watches: who watched what, when and how much of it, as columns to learn embeddings from."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from reelrank.index_mappings.event import EVENT_SCHEMA
from reelrank.index_mappings.match import ID_DTYPE, ItemIds
from reelrank.ranking.viewers.query_vectors import UNKNOWN_SHARE


@dataclass(frozen=True, slots=True, eq=False)
class Watches:
    """m watches in the order of time.

    users, items int32 [m]: places in the sorted `user_ids` and `item_ids`; at_ms int64 [m];
    weights float32 [m]: watched share, UNKNOWN_SHARE where no one knows it.
    """

    user_ids: NDArray[np.str_]
    item_ids: ItemIds
    users: NDArray[np.int32]
    items: NDArray[np.int32]
    at_ms: NDArray[np.int64]
    weights: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.users)

    def to_user_matrix(self) -> csr_matrix:
        """[users, items] float32: the most that a user watched of an item."""
        shape = (len(self.user_ids), len(self.item_ids))
        pair = self.users.astype(np.int64) * shape[1] + self.items
        pairs, place = np.unique(pair, return_inverse=True)
        most = np.zeros(len(pairs), np.float32)
        np.maximum.at(most, place, self.weights)
        return csr_matrix((most, (pairs // shape[1], pairs % shape[1])), shape=shape)


def select_watches(events: pa.Table, before_ms: int) -> Watches:
    """The watches of a table of EVENT_SCHEMA that happened before a moment."""
    columns = events.select(["kind", "user", "item", "at_ms", "watched_ms", "duration_ms"])
    at_ms = columns["at_ms"].to_numpy()
    kept = np.flatnonzero((columns["kind"].to_numpy() == "watch") & (at_ms < before_ms))
    kept = kept[np.argsort(at_ms[kept], kind="stable")]
    taken = columns.take(pa.array(kept))
    user_ids, users = np.unique(taken["user"].to_numpy().astype(np.str_), return_inverse=True)
    item_ids, items = np.unique(taken["item"].to_numpy().astype(ID_DTYPE), return_inverse=True)
    share = _to_floats(taken["watched_ms"]) / _to_floats(taken["duration_ms"])
    weights = np.nan_to_num(share, nan=UNKNOWN_SHARE).clip(0, 1).astype(np.float32)
    return Watches(user_ids, item_ids, users.astype(np.int32), items.astype(np.int32), at_ms[kept], weights)


def build_event_table(batches: Iterable[pa.RecordBatch]) -> pa.Table:
    """All batches of EVENT_SCHEMA as one table."""
    return pa.Table.from_batches(batches, EVENT_SCHEMA)


def _to_floats(column: pa.ChunkedArray) -> NDArray[np.float64]:
    """float64 with NaN for null and for 0, so that a quotient of them is NaN where unknown."""
    numbers = column.to_numpy().astype(np.float64)
    return np.where(numbers > 0, numbers, np.nan)
