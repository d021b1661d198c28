"""Engagements: clicks, watches and likes of items on the page that showed them, counted once per page."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from reelrank.index_mappings.event import EventKind

ENGAGEMENT_KINDS: tuple[EventKind, ...] = ("click", "watch", "like")
MAX_REMEMBERED = 200_000
"""Engagements remembered to find repeats: a click is followed by its watch within hours, not months."""


def is_engagement(events: pa.RecordBatch | pa.Table) -> pa.Array:
    """Returns which rows [n] of EVENT_SCHEMA are clicks, watches or likes with the id of their page."""
    return pc.and_(
        pc.is_in(events["kind"], pa.array(ENGAGEMENT_KINDS)), pc.not_equal(events["request_id"], "")
    )


def to_page_item_keys(events: pa.RecordBatch | pa.Table) -> pa.Array:
    """Returns "request_id item_id" for each row [n]."""
    return pc.binary_join_element_wise(events["request_id"], events["item"], " ")


class Engagements:
    """Finds first engagements; it remembers the newest MAX_REMEMBERED."""

    def __init__(self) -> None:
        self._counted: dict[str, None] = {}

    def find_first(self, events: pa.RecordBatch) -> NDArray[np.intp]:
        """Returns the indexes [k] of rows that are the first engagement with an item on a page."""
        rows = np.flatnonzero(is_engagement(events).to_numpy(zero_copy_only=False))
        keys: Iterable[str] = to_page_item_keys(events).take(pa.array(rows)).to_pylist()
        first = [row for row, key in zip(rows.tolist(), keys, strict=True) if self._add_if_new(key)]
        for key in list(self._counted)[: max(len(self._counted) - MAX_REMEMBERED, 0)]:
            del self._counted[key]
        return np.array(first, np.intp)

    def _add_if_new(self, key: str) -> bool:
        before = len(self._counted)
        self._counted[key] = None
        return len(self._counted) > before
