"""Histograms of what viewers did with seen items, kept for each partition of the lake."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, time, timedelta
from functools import cache, partial
from itertools import groupby

import numpy as np
import pyarrow as pa

from reelrank.app.clock import to_ms
from reelrank.app.loop.reading.partition_profiles import KeptProfiles
from reelrank.index_mappings.decision import EVENTS
from reelrank.index_mappings.event import DAY_MS, HOUR_MS
from reelrank.loaders.lake.reader import Partition
from reelrank.loaders.logged.pages import ReadOptions, read_logged_pages
from reelrank.ranking.arrow_columns import to_array, to_floats
from reelrank.ranking.drift.histograms import Profile, add_profiles, count_column
from reelrank.ranking.labels.attribution import PLAY_WINDOW_MS
from reelrank.ranking.registry.decisions import hash_inputs

CLICKED, WATCHED_SHARE = "clicked or played", "watched share of plays"
KIND = "labels"


def count_labels(kept: KeptProfiles, partitions: Sequence[Partition], now: datetime) -> Profile:
    """Returns the histograms of clicks per seen item (0 or 1) and of the watched share of each play.

    A partition whose last pages are younger than the window of plays is left out: its plays come yet.
    """
    settled = now - timedelta(milliseconds=PLAY_WINDOW_MS)
    known = [part for part in partitions if part.end <= settled]
    profiles = list[Profile]()
    for day, parts in groupby(known, lambda part: part.date):
        of_day, begin = list(parts), datetime.combine(day, time(), UTC)
        events = kept.lake.list_partitions(EVENTS, begin, begin + timedelta(days=2))
        revision = hash_inputs([(part.date, part.hour, part.revision) for part in events])
        count = _open_date(kept, of_day, now)
        profiles += [kept.keep(part, KIND, partial(count, part.hour), revision) for part in of_day]
    return add_profiles(profiles) if profiles else Profile({})


def _open_date(
    kept: KeptProfiles, parts: Sequence[Partition], now: datetime
) -> Callable[[int | None], Profile]:
    """Returns what counts an hour; a date is attributed as a whole, once, when the first one is asked for."""

    @cache
    def read() -> pa.Table:
        options = ReadOptions(to_ms(now) + DAY_MS)
        pages = read_logged_pages(kept.lake, parts[0].begin, parts[-1].end, options)
        columns = ("at_ms", "seen", "clicked", "played", "watched_share")
        found = [page.outcomes.select(columns) for page in pages]
        return pa.concat_tables(found) if found else pa.table({name: [] for name in columns})

    return lambda hour: _count_hour(read(), hour)


def _count_hour(outcomes: pa.Table, hour: int | None) -> Profile:
    hours = to_array(outcomes["at_ms"], np.int64) // HOUR_MS % 24
    counted = to_array(outcomes["seen"], np.bool_) & ((hours == hour) | (hour is None))
    if not counted.any():
        return Profile({})
    played = to_array(outcomes["played"], np.bool_)
    used = played | to_array(outcomes["clicked"], np.bool_)
    shares = to_floats(outcomes["watched_share"])[counted & played].astype(np.float32)
    features = {CLICKED: count_column(used[counted].astype(np.float32))}
    if np.isfinite(shares).any():
        features[WATCHED_SHARE] = count_column(shares[np.isfinite(shares)])
    return Profile(features, rows=int(counted.sum()))
