"""Taste: the items of a table that a viewer prefers, and those that they rejected."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from reelrank.index_mappings.event import DAY_MS
from reelrank.ranking.items.engagements import compute_watched_shares, is_skipped
from reelrank.ranking.items.table import ItemTable, Rows
from reelrank.ranking.viewers.history import Viewer

MAX_PREFERRED = 200
"""Newest preferences that affinities and taste are computed from. A choice; no measurement is recorded."""
MAX_REJECTED = 50
"""Newest rejected items that count. A choice; no measurement is recorded."""
HALF_LIFE_DAYS = 30.0
"""Days after which a preference weighs half. A choice; no measurement is recorded."""
HISTORY_HALF_LIFE_DAYS = 365.0
"""Days after which an item of the whole history weighs half."""
UNKNOWN_SHARE = 0.5
"""The weight of a watch whose watched share is unknown."""
NO_ROWS: Rows = np.empty(0, np.intp)
NO_FLOATS: NDArray[np.float32] = np.empty(0, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Preferences:
    """Preferred items that the table holds, newest first: rows [p], weights [p] in 0 to 1."""

    rows: Rows = field(default_factory=lambda: NO_ROWS)
    weights: NDArray[np.float32] = field(default_factory=lambda: NO_FLOATS)


@dataclass(frozen=True, slots=True, eq=False)
class Taste:
    """What a viewer prefers and what they rejected.

    preferred: watched for longer than a quick skip, or liked. rejected: rows [r] of items that were left
    early, disliked or called not interesting, newest first. history: all preferred items, however many, with
    weights that last longer. watched_share [w] float32: of each item of `Viewer.watched`, NaN where unknown.
    is_kept [w]: whether that watch was no quick skip.
    """

    preferred: Preferences = field(default_factory=Preferences)
    rejected: Rows = field(default_factory=lambda: NO_ROWS)
    history: Preferences = field(default_factory=Preferences)
    watched_share: NDArray[np.float32] = field(default_factory=lambda: NO_FLOATS)
    is_kept: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, bool))


def read_taste(viewer: Viewer, table: ItemTable) -> Taste:
    """Reads the taste of a viewer. An opinion outweighs a watch: a liked skip is preferred."""
    watched, opinions = table.find_rows(viewer.watched.ids), viewer.opinions
    shares = _compute_shares(viewer, table, watched)
    judged = table.find_rows(opinions.ids)
    liked, disliked = judged[opinions.is_liked], judged[~opinions.is_liked]
    is_kept = ~is_skipped(shares)
    is_liked = np.isin(watched, liked)
    is_preferred = is_liked | (is_kept & ~np.isin(watched, disliked))
    weights = np.where(is_liked, 1, np.nan_to_num(shares, nan=UNKNOWN_SHARE)).astype(np.float32)
    only_liked = ~np.isin(liked, watched)
    preferred = (
        np.concatenate([watched[is_preferred], liked[only_liked]]),
        np.concatenate([viewer.watched.at_ms[is_preferred], opinions.at_ms[opinions.is_liked][only_liked]]),
        np.concatenate([weights[is_preferred], np.ones(int(only_liked.sum()), np.float32)]),
    )
    is_left = ~is_preferred & ~np.isin(watched, disliked)
    rejected = _sort_newest_first(
        np.concatenate([watched[is_left], disliked]),
        np.concatenate([viewer.watched.at_ms[is_left], opinions.at_ms[~opinions.is_liked]]),
    )
    return Taste(
        _weigh_newest(*preferred, MAX_PREFERRED, HALF_LIFE_DAYS),
        rejected[:MAX_REJECTED],
        _weigh_newest(*preferred, len(preferred[0]), HISTORY_HALF_LIFE_DAYS),
        shares,
        is_kept,
    )


def _compute_shares(viewer: Viewer, table: ItemTable, rows: Rows) -> NDArray[np.float32]:
    """Computes watched shares [w]; the catalogue gives the duration that an event does not state."""
    duration_ms = viewer.watched.duration_ms
    if len(rows) and len(table):
        listed = np.where(rows >= 0, table.duration_s[rows] * 1000.0, np.nan)
        duration_ms = np.where(duration_ms > 0, duration_ms, listed)
    return compute_watched_shares(viewer.watched.watched_ms, duration_ms)


def _weigh_newest(
    rows: Rows, at_ms: NDArray[np.int64], weights: NDArray[np.float32], limit: int, half_life_days: float
) -> Preferences:
    """Halves weights every half-life relative to the newest item, so that a viewer who comes back after
    a year is still known by what they watched then."""
    order = np.argsort(-at_ms, kind="stable")[:limit]
    rows, at_ms, weights = rows[order], at_ms[order], weights[order]
    age_days = (at_ms[:1] - at_ms) / DAY_MS
    decayed = (weights * np.exp2(-age_days / half_life_days)).astype(np.float32)
    known = rows >= 0
    return Preferences(rows[known], decayed[known])


def _sort_newest_first(rows: Rows, at_ms: NDArray[np.int64]) -> Rows:
    found: Rows = rows[np.argsort(-at_ms, kind="stable")]
    return found[found >= 0]
