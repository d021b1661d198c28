"""A viewer: what one person did up to a point in time. Anonymous viewers have no past."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reelrank.index_mappings.event import USER_ACTIONS, Event
from reelrank.index_mappings.match import ID_DTYPE, ItemIds, encode_item_ids

MAX_ACTIONS = 1000
"""How many of a viewer's newest actions count: twice MAX_WATCHES, to leave room for clicks and likes."""
MAX_WATCHES, MAX_IMPRESSIONS, MAX_QUERIES = 500, 1000, 20
"""Limits on a viewer's newest watches, impressions and searches. A choice; no measurement is recorded."""


@dataclass(frozen=True, slots=True, eq=False)
class Viewer:
    """What a viewer did. Arrays other than `seen` are newest first.

    seen [s] ids of every item ever watched, each once and in no order, however long the history.
    watched [w] ids, one a watch, the newest MAX_WATCHES; watched_at_ms [w] int64; watched_share [w]
    float32, watched / duration in 0 to 1, NaN when unknown; shown [i] ids of past impressions and
    shown_at_ms [i] int64; queries: past search texts.
    """

    user: str
    watched: ItemIds
    watched_at_ms: NDArray[np.int64]
    watched_share: NDArray[np.float32]
    shown: ItemIds
    shown_at_ms: NDArray[np.int64]
    queries: tuple[str, ...]
    seen: ItemIds


def build_anonymous_viewer(user_id: str = "", seen: Iterable[str] = ()) -> Viewer:
    """Builds a viewer about whom nothing is known, or only what they watched."""
    no_ids, no_times = np.empty(0, ID_DTYPE), np.empty(0, np.int64)
    return Viewer(
        user_id, no_ids, no_times, np.empty(0, np.float32), no_ids, no_times, (), encode_item_ids(seen)
    )


def build_viewer(
    user_id: str, events: Iterable[Event], as_of_ms: int, seen: Collection[str] = frozenset()
) -> Viewer:
    """Builds the viewer from these events (any order) before `as_of_ms`.

    Only the newest MAX_ACTIONS actions and MAX_IMPRESSIONS impressions count, however many are given: serving
    reads no more of them. seen: items watched before then, also in events that are not given.
    """
    past = sorted((e for e in events if e.at_ms < as_of_ms), key=lambda e: (-e.at_ms, e.id))
    actions = [e for e in past if e.kind in USER_ACTIONS][:MAX_ACTIONS]
    watches = [e for e in actions if e.kind == "watch"][:MAX_WATCHES]
    shown = [e for e in past if e.kind == "impression"][:MAX_IMPRESSIONS]
    shares = [compute_watched_share(e.watched_ms, e.duration_ms) for e in watches]
    queries = [e.text for e in actions if e.kind == "search" and e.text][:MAX_QUERIES]
    return Viewer(
        user_id,
        encode_item_ids(e.item for e in watches),
        np.array([e.at_ms for e in watches], np.int64),
        np.array(shares, np.float32),
        encode_item_ids(e.item for e in shown),
        np.array([e.at_ms for e in shown], np.int64),
        tuple(queries),
        encode_item_ids({e.item for e in past if e.kind == "watch"}.union(seen)),
    )


def compute_watched_share(watched_ms: int | None, duration_ms: int | None) -> float:
    """Returns watched time over duration, clipped to 0..1; NaN if either is unknown or duration is 0."""
    if watched_ms is None or not duration_ms:
        return float("nan")
    return min(max(watched_ms / duration_ms, 0.0), 1.0)
