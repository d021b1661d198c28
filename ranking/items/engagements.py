"""Uses: items that were clicked, watched or liked on the page that showed them, each counted once a page."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from reelrank.index_mappings.event import EventKind

ENGAGEMENT_KINDS: tuple[EventKind, ...] = ("click", "watch", "like")
MAX_REMEMBERED = 200_000
"""Uses that are known again: a click is followed by its watch within hours, not months."""


def is_engagement(events: pa.RecordBatch | pa.Table) -> pa.Array:
    """Which rows [n] of EVENT_SCHEMA are deeds that name the page they followed from."""
    return pc.and_(
        pc.is_in(events["kind"], pa.array(ENGAGEMENT_KINDS)), pc.not_equal(events["request_id"], "")
    )


def to_page_item_keys(events: pa.RecordBatch | pa.Table) -> pa.Array:
    """The page and the item [n], as one word each."""
    return pc.binary_join_element_wise(events["request_id"], events["item"], " ")


class Engagements:
    """Remembers which were counted, the newest REMEMBERED."""

    def __init__(self) -> None:
        self._counted: dict[str, None] = {}

    def find_first(self, events: pa.RecordBatch) -> NDArray[np.intp]:
        """Places [k] of the rows that are the first use of an item on a page."""
        places = np.flatnonzero(is_engagement(events).to_numpy(zero_copy_only=False))
        words: Iterable[str] = to_page_item_keys(events).take(pa.array(places)).to_pylist()
        fresh = [place for place, word in zip(places.tolist(), words, strict=True) if self._add_if_new(word)]
        for word in list(self._counted)[: max(len(self._counted) - MAX_REMEMBERED, 0)]:
            del self._counted[word]
        return np.array(fresh, np.intp)

    def _add_if_new(self, key: str) -> bool:
        before = len(self._counted)
        self._counted[key] = None
        return len(self._counted) > before
