"""The vectors of a moment: what the words and the past of a viewer point at, one unit vector a space."""

import numpy as np
from numpy.typing import NDArray

from reelrank.index_mappings.encoder import TextEncoder
from reelrank.index_mappings.event import DAY_MS
from reelrank.index_mappings.item import FloatVector
from reelrank.index_mappings.match import item_ids
from reelrank.index_mappings.query import Query
from reelrank.ranking.items.fold_in import fold_in
from reelrank.ranking.items.table import ItemTable, Rows
from reelrank.ranking.viewers.history import Viewer
from reelrank.ranking.viewers.request import RankingRequest

RECENT_WATCHES = 200
SESSION_WATCHES = 10
"""A session is short: only the newest watches speak for it (Store2Vec uses the last few likewise)."""
PAST_QUERIES = 5
HALF_LIFE_DAYS = 30.0
UNKNOWN_SHARE = 0.5
"""A watch of which no one knows how much was seen counts as half of one."""


def build_request(query: Query, viewer: Viewer, table: ItemTable, encoder: TextEncoder) -> RankingRequest:
    """Everything known of a request before any candidate is; a just-made watch counts at once."""
    vectors: dict[str, FloatVector] = {}
    if query.text:
        vectors["query"] = encoder.encode([query.text])[0]
    if viewer.queries:
        past = encoder.encode(viewer.queries[:PAST_QUERIES])
        vectors["past_queries"] = _compute_mean(past, np.ones(len(past), np.float32))
    if query.similar_to:
        row = int(table.find_rows(item_ids([query.similar_to]))[0])
        watched, weights = np.array([row] if row >= 0 else [], np.intp), np.ones(int(row >= 0), np.float32)
    else:
        watched, weights = find_recent_watches(viewer, table)
    if len(watched):
        vectors |= _compute_history_vectors(table, watched, weights)
    return RankingRequest(query, viewer, {name: v for name, v in vectors.items() if v.any()})


def find_recent_watches(viewer: Viewer, table: ItemTable) -> tuple[Rows, NDArray[np.float32]]:
    """Rows [w] of the newest watches that the table holds, newest first, and weights [w] in 0 to 1.

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
    return rows[known], weights[known]


def _compute_history_vectors(
    table: ItemTable, rows: Rows, weights: NDArray[np.float32]
) -> dict[str, FloatVector]:
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
    total = weights @ vectors
    length = float(np.linalg.norm(total))
    return np.asarray(total / length if length > 0 else total, np.float32)
