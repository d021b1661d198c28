"""Counting events: from batches of the event store to the counters of popularity."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from reelrank.index_mappings.event import DAY_MS
from reelrank.index_mappings.match import ID_DTYPE
from reelrank.ranking.arrow_columns import to_floats
from reelrank.ranking.items.builder import UNKNOWN_DAY
from reelrank.ranking.items.popularity.counters import Popularity
from reelrank.ranking.items.popularity.exposures import EXPECTED, Exposure
from reelrank.ranking.items.popularity.slot_counts import CountedEvents
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
    times, received_ms = batch.column("at_ms").to_numpy(), to_floats(batch.column("received_ms"))
    is_received = np.isfinite(received_ms)
    times = np.where(is_received, np.nan_to_num(received_ms), times).astype(np.int64)
    days = times // DAY_MS
    at_ms = np.where(is_received, days * DAY_MS, times)  # repeats are alike: any of them may be the first
    weights = popularity.compute_exposure_weights(viewers)
    counted = dict[Exposure, CountedEvents]()
    for kind, of_kind in selected.items():
        known = of_kind[rows[of_kind] >= 0]
        received = known[is_received[known]]
        firsts = popularity.daily_firsts[kind].find(viewers[received], rows[received], days[received])
        found = np.concatenate([known[~is_received[known]], received[firsts]])
        popularity.add_exposures(kind, rows[found], at_ms[found], weights[found])
        counted[kind] = CountedEvents(batch, found, weights[found].astype(np.float64), times[found])
    shown = counted["impression"]
    published = table.published_day[rows[shown.rows]].astype(np.float64)
    days_shown = (shown.at_ms // DAY_MS).astype(np.float64)
    ages_days = np.where(published == UNKNOWN_DAY, np.inf, days_shown - published)
    expected = popularity.slots.add_impressions(shown, ages_days)
    popularity.exposures.add(EXPECTED, rows[shown.rows], at_ms[shown.rows], expected)
    popularity.slots.add_uses(counted["engagement"])
    popularity.slots.settle()
