"""Engagements: what counts as a use of an item, and what as a skip."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from reelrank.index_mappings.event import EventKind

ENGAGEMENT_KINDS: tuple[EventKind, ...] = ("click", "watch", "like")
MAX_REMEMBERED = 200_000
"""Engagements remembered to find repeats: a click is followed by its watch within hours, not months."""
QUICK_SKIP_SHARE = 0.2
"""A watch of less than this share is a quick skip: the viewer tried the item and left. A choice."""
QUICK_SKIP_MS = 60_000
"""Where no duration is known, a watch of less than a minute is a quick skip. A choice."""


def compute_watched_shares(
    watched_ms: NDArray[np.float64], duration_ms: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Returns watched time over duration [n], clipped to 0..1, from times that are NaN where unknown.

    Without a duration the share is 0 for a quick skip, which is then told by time, and else NaN.
    """
    known = np.isfinite(watched_ms) & (duration_ms > 0)
    shares = np.divide(watched_ms, duration_ms, out=np.full(len(watched_ms), np.nan), where=known).clip(0, 1)
    shares[~known & (watched_ms < QUICK_SKIP_MS)] = 0.0
    return np.asarray(shares, np.float32)


def compute_watched_share(watched_ms: int | None, duration_ms: int | None) -> float:
    """Returns the watched share of one event, as `compute_watched_shares` does."""
    if watched_ms is None:
        return float("nan")
    if duration_ms is None or duration_ms <= 0:
        return 0.0 if watched_ms < QUICK_SKIP_MS else float("nan")
    return min(max(watched_ms / duration_ms, 0.0), 1.0)


def is_skipped(shares: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Returns which shares [n] are those of quick skips; an unknown share is not."""
    return shares < QUICK_SKIP_SHARE


def is_engagement(events: pa.RecordBatch | pa.Table) -> pa.Array:
    """Returns which rows [n] of EVENT_SCHEMA are clicks, watches or likes with the id of their page."""
    return pc.and_(
        pc.is_in(events["kind"], pa.array(ENGAGEMENT_KINDS)), pc.not_equal(events["request_id"], "")
    )


def to_page_item_keys(events: pa.RecordBatch | pa.Table) -> pa.Array:
    """Returns "request_id item_id" for each row [n]."""
    return pc.binary_join_element_wise(events["request_id"], events["item"], " ")


def list_page_item_keys(events: pa.RecordBatch, rows: NDArray[np.intp]) -> list[str]:
    """Returns "request_id item_id" for each of these rows [n]."""
    selected = events.select(["request_id", "item"]).take(pa.array(rows))
    keys: list[str] = to_page_item_keys(selected).to_pylist()
    return keys


class Engagements:
    """Finds first engagements; it remembers the newest MAX_REMEMBERED."""

    def __init__(self) -> None:
        self._counted: dict[str, None] = {}

    def list_keys(self) -> list[str]:
        """Returns what is remembered, the oldest first."""
        return list(self._counted)

    def remember(self, keys: Iterable[str]) -> None:
        """Remembers what `list_keys` returned, in place of what is remembered now."""
        self._counted = dict.fromkeys(keys)

    def find_first(self, events: pa.RecordBatch) -> NDArray[np.intp]:
        """Returns the indexes [k] of rows that are the first engagement with an item on a page."""
        rows = np.flatnonzero(is_engagement(events).to_numpy(zero_copy_only=False))
        keys = list_page_item_keys(events, rows)
        first = [row for row, key in zip(rows.tolist(), keys, strict=True) if self._add_if_new(key)]
        for key in list(self._counted)[: max(len(self._counted) - MAX_REMEMBERED, 0)]:
            del self._counted[key]
        return np.array(first, np.intp)

    def _add_if_new(self, key: str) -> bool:
        before = len(self._counted)
        self._counted[key] = None
        return len(self._counted) > before
