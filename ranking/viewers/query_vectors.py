"""The vectors of a request: unit vectors for its words and for the viewer's past, one a vector space."""

import numpy as np
from numpy.typing import NDArray

from reelrank.index_mappings.encoder import TextEncoder
from reelrank.index_mappings.event import DAY_MS
from reelrank.index_mappings.item import FloatVector
from reelrank.index_mappings.match import encode_item_ids
from reelrank.index_mappings.query import Query
from reelrank.ranking.items.fold_in import fold_in
from reelrank.ranking.items.table import ItemTable
from reelrank.ranking.items.typed_query import read_query
from reelrank.ranking.viewers.history import Viewer
from reelrank.ranking.viewers.request import RankingRequest, RecentWatches

RECENT_WATCHES = 200
"""Newest watches that affinities and taste are computed from. A choice; no measurement is recorded."""
SESSION_WATCHES = 10
"""A session is short: only the newest watches represent it, as in Store2Vec."""
PAST_QUERIES = 5
"""Newest searches that the vector of past queries averages. A choice; no measurement is recorded."""
MAX_BEGINNINGS = 50
"""Titles that begin with the typed text: two and a half pages of 20. A choice, not a finding."""
HALF_LIFE_DAYS = 30.0
"""Days after which a watch weighs half. A choice; no measurement is recorded."""
UNKNOWN_SHARE = 0.5
"""The weight of a watch whose watched share is unknown."""


def build_request(query: Query, viewer: Viewer, table: ItemTable, encoder: TextEncoder) -> RankingRequest:
    """Builds everything about a request that needs no candidate. A watch counts at once."""
    recent = find_recent_watches(viewer, table)
    typed = read_query(table.titles, query.text, table.year, MAX_BEGINNINGS) if query.text else None
    vectors = _compute_text_vectors(typed.spelling if typed else "", viewer, encoder)
    watches = _find_item(query.similar_to, table) if query.similar_to else recent
    if len(watches.rows):
        vectors |= _compute_history_vectors(table, watches)
    seen_rows = table.find_rows(viewer.seen)
    return RankingRequest(
        query,
        viewer,
        {name: v for name, v in vectors.items() if v.any()},
        recent,
        seen_rows[seen_rows >= 0],
        typed,
    )


def find_recent_watches(viewer: Viewer, table: ItemTable) -> RecentWatches:
    """Returns the newest watches of items that the table holds.

    A weight is the watched share, halved every HALF_LIFE_DAYS relative to the newest watch, so that
    a viewer who comes back after a year is still known by what they watched then.
    """
    watched = viewer.watched[:RECENT_WATCHES]
    rows = table.find_rows(watched)
    share = np.nan_to_num(viewer.watched_share[: len(watched)], nan=UNKNOWN_SHARE)
    at_ms = viewer.watched_at_ms[: len(watched)]
    age_days = (at_ms[:1] - at_ms) / DAY_MS
    weights = (share * np.exp2(-age_days / HALF_LIFE_DAYS)).astype(np.float32)
    known = rows >= 0
    return RecentWatches(rows[known], weights[known])


def _find_item(item_id: str, table: ItemTable) -> RecentWatches:
    """Returns the item as if it were the only watch; nothing when the table lacks it."""
    rows = table.find_rows(encode_item_ids([item_id]))
    rows = rows[rows >= 0]
    return RecentWatches(rows, np.ones(len(rows), np.float32))


def _compute_text_vectors(text: str, viewer: Viewer, encoder: TextEncoder) -> dict[str, FloatVector]:
    vectors: dict[str, FloatVector] = {}
    if text:
        vectors["query"] = encoder.encode([text])[0]
    if viewer.queries:
        past = encoder.encode(viewer.queries[:PAST_QUERIES])
        vectors["past_queries"] = _compute_mean(past, np.ones(len(past), np.float32))
    return vectors


def _compute_history_vectors(table: ItemTable, watches: RecentWatches) -> dict[str, FloatVector]:
    rows, weights = watches.rows, watches.weights
    vectors = {
        "session": _compute_mean(table.vectors["session"][rows[:SESSION_WATCHES]], weights[:SESSION_WATCHES]),
        "taste": _compute_mean(table.vectors["text"][rows], weights),
    }
    factors = table.vectors["factors"][rows]
    learned = factors.any(axis=1)
    if table.fold_in is not None and learned.any():
        vectors["factors"] = fold_in(table.fold_in, factors[learned], weights[learned])
    return vectors


def _compute_mean(vectors: NDArray[np.float32], weights: NDArray[np.float32]) -> FloatVector:
    """Returns the unit vector of a weighted mean, summed in float64: the order of the sum does not matter."""
    total = weights.astype(np.float64) @ vectors.astype(np.float64)
    length = float(np.linalg.norm(total))
    return np.asarray(total / length if length > 0 else total, np.float32)
