"""Counting events: from batches of the event store to the counters of popularity."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from reelrank.index_mappings.event import DAY_MS
from reelrank.index_mappings.match import ID_DTYPE
from reelrank.ranking.arrow_columns import to_floats
from reelrank.ranking.items.popularity.counters import Popularity
from reelrank.ranking.items.popularity.exposures import Exposure
from reelrank.ranking.items.table import ItemTable
from reelrank.ranking.items.watch_columns import hash_viewers, select_watch_columns


def build_popularity(table: ItemTable, events: Iterable[pa.RecordBatch]) -> Popularity:
    """Counts all events of batches of EVENT_SCHEMA."""
    popularity = Popularity(len(table))
    for batch in events:
        count_events(popularity, table, batch)
    return popularity


def count_events(popularity: Popularity, table: ItemTable, batch: pa.RecordBatch) -> None:
    """Counts the events of one batch. A watch counts by its watched share, 1 if unknown; a skip does not.

    What was received counts once per viewer, item and day of receipt, whatever else was sent.
    """
    kinds = np.asarray(batch.column("kind").to_numpy(zero_copy_only=False))
    rows = table.find_rows(batch.column("item").to_numpy(zero_copy_only=False).astype(ID_DTYPE))
    viewers = hash_viewers(batch.column("user"), popularity.audience.key)
    popularity.add_watches(select_watch_columns(batch, viewers, rows, table.duration_s))
    selected: dict[Exposure, NDArray[np.intp]] = {
        "impression": np.flatnonzero(kinds == "impression"),
        "click": np.flatnonzero(kinds == "click"),
        "engagement": popularity.engagements.find_first(batch),
    }
    at_ms, received_ms = batch.column("at_ms").to_numpy(), to_floats(batch.column("received_ms"))
    is_received = np.isfinite(received_ms)
    days = np.where(is_received, received_ms, 0).astype(np.int64) // DAY_MS
    at_ms = np.where(is_received, days * DAY_MS, at_ms)  # repeats are alike: any of them may be the first
    weights = popularity.compute_exposure_weights(viewers)
    for kind, of_kind in selected.items():
        known = of_kind[rows[of_kind] >= 0]
        received = known[is_received[known]]
        firsts = popularity.daily_firsts[kind].find(viewers[received], rows[received], days[received])
        found = np.concatenate([known[~is_received[known]], received[firsts]])
        popularity.add_exposures(kind, rows[found], at_ms[found], weights[found])
