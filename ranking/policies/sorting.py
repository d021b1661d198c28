"""A stated order of a list: newest, most watched or by title, instead of the ranking."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from reelrank.index_mappings.query import Sort
from reelrank.ranking.items.builder import UNKNOWN_DAY
from reelrank.ranking.policies.policy import Order, ScoredCandidates

Keys = NDArray[np.float64]


def sort_candidates(candidates: ScoredCandidates) -> Order:
    """Returns the positions [n] in the order that the query states.

    The order is total and the same for every viewer: equal keys are in the order of item ids, and items
    without a key come last.
    """
    keys = KEYS[candidates.query.sort](candidates)
    return np.lexsort((candidates.ids, keys))


def _compute_age(candidates: ScoredCandidates) -> Keys:
    if not len(candidates.table):
        return np.full(len(candidates.rows), np.inf)
    days = candidates.table.published_day[candidates.rows].astype(np.float64)
    return np.where((candidates.rows >= 0) & (days != UNKNOWN_DAY), -days, np.inf)


def _compute_unpopularity(candidates: ScoredCandidates) -> Keys:
    if not len(candidates.table):
        return np.full(len(candidates.rows), np.inf)
    watches = candidates.popularity.count_watches(candidates.rows)
    return np.where(candidates.rows >= 0, -watches, np.inf)


def _compute_title_rank(candidates: ScoredCandidates) -> Keys:
    """Titles are compared without case, accents, blanks and punctuation."""
    rows_by_title = candidates.table.titles.text_rows
    rank_of_row = np.full(len(rows_by_title) + 1, np.inf)  # the last one is that of row -1
    rank_of_row[rows_by_title] = np.arange(len(rows_by_title))
    return rank_of_row[candidates.rows]


KEYS: dict[Sort, Callable[[ScoredCandidates], Keys]] = {
    "newest": _compute_age,
    "popular": _compute_unpopularity,
    "title": _compute_title_rank,
}
"""Sort keys [n] by the name of the order, lowest first."""
