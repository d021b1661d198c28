"""Half-lives of popularity, compared on past home pages by the order of popularity alone."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reelrank.index_mappings.match import encode_item_ids
from reelrank.ranking.evaluation.intervals import Interval, bootstrap_intervals
from reelrank.ranking.evaluation.metrics import ndcg_at
from reelrank.ranking.items.popularity.counters import Popularity
from reelrank.ranking.items.popularity.half_lives import DEFAULT_HALF_LIFE_DAYS, HALF_LIVES_DAYS
from reelrank.ranking.items.table import ItemTable, Rows, build_row_mask
from reelrank.ranking.viewers.history import Viewer

DEPTH = 10


@dataclass(frozen=True, slots=True, eq=False)
class PastPage:
    """A past page: its viewer, the counters as they were at its time, and the gain of what was watched next.

    The counters change when the next page is read.
    """

    viewer: Viewer
    popularity: Popularity
    gains: dict[str, float]


@dataclass(frozen=True, slots=True)
class HalfLifeChoice:
    """The half-life that a training run chose, and what it was chosen by.

    days: the chosen half-life. curve: NDCG@10 of popularity alone by half-life in days.
    """

    days: int
    curve: dict[int, Interval]


def choose_half_life(pages: Iterable[PastPage], table: ItemTable) -> HalfLifeChoice:
    """Chooses the half-life with the highest NDCG@10; the default without pages."""
    table_of_pages = [_measure(page, table) for page in pages]
    if not table_of_pages:
        return HalfLifeChoice(DEFAULT_HALF_LIFE_DAYS, {})
    intervals = bootstrap_intervals(np.array(table_of_pages))
    curve = dict(zip(map(int, HALF_LIVES_DAYS), intervals, strict=True))
    return HalfLifeChoice(max(curve, key=lambda days: curve[days].mean), curve)


def _measure(page: PastPage, table: ItemTable) -> list[float]:
    """Measures one page at each half-life."""
    is_seen = build_row_mask(table, table.find_rows(page.viewer.seen))
    gains = np.array(list(page.gains.values()), np.float32)
    gain_of_row = np.zeros(max(len(table), 1), np.float32)
    relevant = table.find_rows(encode_item_ids(page.gains))
    gain_of_row[relevant[relevant >= 0]] = gains[relevant >= 0]

    def is_unseen(rows: Rows) -> NDArray[np.bool_]:
        return ~is_seen[rows]

    return [
        ndcg_at(gain_of_row[page.popularity.find_most_watched(DEPTH, is_unseen, days)[0]], gains, DEPTH)
        for days in HALF_LIVES_DAYS
    ]
