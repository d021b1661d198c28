"""Counting events: from batches of the event store to the counters of popularity."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from reelrank.index_mappings.match import ID_DTYPE
from reelrank.ranking.items.popularity.counters import EXPOSURES, Popularity
from reelrank.ranking.items.table import ItemTable
from reelrank.ranking.items.watch_columns import hash_viewers, select_watch_columns


def build_popularity(table: ItemTable, events: Iterable[pa.RecordBatch]) -> Popularity:
    """Counts all events of batches of EVENT_SCHEMA."""
    popularity = Popularity(len(table))
    for batch in events:
        count_events(popularity, table, batch)
    return popularity


def count_events(popularity: Popularity, table: ItemTable, batch: pa.RecordBatch) -> None:
    """Counts the events of one batch. A watch counts by its watched share, 1 if unknown; a skip does not."""
    kinds = np.asarray(batch.column("kind").to_numpy(zero_copy_only=False))
    rows = table.find_rows(batch.column("item").to_numpy(zero_copy_only=False).astype(ID_DTYPE))
    viewers = hash_viewers(batch.column("user"), popularity.audience.key)
    popularity.add_watches(select_watch_columns(batch, viewers, rows, table.duration_s))
    weights, at_ms = popularity.compute_exposure_weights(viewers), batch.column("at_ms").to_numpy()
    for kind in EXPOSURES[:2]:
        selected = np.flatnonzero(kinds == kind)
        popularity.add_exposures(kind, rows[selected], at_ms[selected], weights[selected])
    first = popularity.engagements.find_first(batch)
    popularity.add_exposures("engagement", rows[first], at_ms[first], weights[first])
