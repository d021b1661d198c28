"""Attribution: which shown item an event is attributed to, and the rules that decide it.

`attribution_sql.py` states the rules as SQL that DuckDB and Spark both run; `attribution_reference.py` states
them as plain loops, which the tests compare with it.

1. An event counts as of `received_ms` (else `at_ms`); of two events with one id, the first received counts.
2. A client's clock cannot be ahead: an event that is later than its receipt is moved back by the difference.
3. Watch events of one play are one watch, as long as the longest of them, that begins at `started_ms`, else
   `watched_ms` before the event. One play: the same `play_id`, else the same `started_ms`, else beginnings
   that are less than `same_play_ms` apart.
4. An event with a `request_id` belongs to that page, an event without one to the latest page that showed the
   item to the viewer before; in both cases within the window of its kind. An event that names its page and
   is up to `clock_skew_ms` earlier than it (a clock behind) counts as of the time of the page.
5. An item was seen if it was `viewed` or acted on. A page without any `viewed` event does not report them:
   all of its items count as seen, and `is_seen_known` is false.
6. A seen item without a play within the window is missed, once the window has passed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from reelrank.index_mappings.event import DAY_MS, MINUTE_MS, OPINION_KINDS, EventKind
from reelrank.ranking.items.engagements import QUICK_SKIP_MS, QUICK_SKIP_SHARE

PLAY_WINDOW_MS = 10 * MINUTE_MS
"""An impression with no play in ten minutes is missed; a later play is not attributed to it."""
COMPLETED_SHARE = 0.9
"""Credits are not watched: from nine tenths on, an item was watched to the end. A choice."""
_OPINION_WINDOWS_MS: dict[EventKind, int] = dict.fromkeys(OPINION_KINDS, DAY_MS)
WINDOWS_MS: Mapping[EventKind, int] = MappingProxyType(
    {**_OPINION_WINDOWS_MS, "viewed": DAY_MS, "click": PLAY_WINDOW_MS, "watch": PLAY_WINDOW_MS}
)
"""A page may stay open, and an opinion follows the watch: both may come a day later. A choice."""


@dataclass(frozen=True, slots=True)
class AttributionRules:
    """What decides whether an event is attributed to a shown item. Times are milliseconds.

    windows_ms: by kind, how long after the page an event may come (a watch: may begin); kinds without a
    window are not attributed. clock_skew_ms: how much earlier than its page an event that names it may be.
    same_play_ms: beginnings of a watch without play id that are no further apart are one play.
    look_back_ms, look_ahead_ms: how long before and after the pages' span events are read.
    """

    windows_ms: Mapping[EventKind, int] = field(default_factory=lambda: WINDOWS_MS)
    clock_skew_ms: int = 15 * MINUTE_MS
    same_play_ms: int = MINUTE_MS
    look_back_ms: int = 6 * 60 * MINUTE_MS
    look_ahead_ms: int = DAY_MS
    quick_skip_share: float = QUICK_SKIP_SHARE
    quick_skip_ms: int = QUICK_SKIP_MS
    completed_share: float = COMPLETED_SHARE

    def __reduce__(self) -> tuple[Any, ...]:
        """Lets rules be sent to other processes: a read-only mapping cannot be pickled."""
        names = [one.name for one in fields(self)]
        values = {name: getattr(self, name) for name in names}
        return _restore_rules, (values | {"windows_ms": dict(self.windows_ms)},)

    def __post_init__(self) -> None:
        if (longest := max(self.windows_ms.values(), default=0)) > self.look_ahead_ms:
            raise ValueError(
                f"look_ahead_ms: {self.look_ahead_ms} is less than the longest window, {longest}"
            )


def _restore_rules(values: dict[str, Any]) -> AttributionRules:
    return AttributionRules(**values | {"windows_ms": MappingProxyType(values["windows_ms"])})


@dataclass(frozen=True, slots=True)
class AttributionSpan:
    """Pages with from_ms <= at_ms < to_ms, as known at `as_of_ms`: later receipts do not count.

    within: a span that holds this one, such as its date. Events are read around it, so that all parts of a
    date see the same events; None: around the span itself.
    """

    from_ms: int
    to_ms: int
    as_of_ms: int
    within: tuple[int, int] | None = None


ATTRIBUTED_REQUEST = ("request_id", "at_ms", "user_key", "surface")
ATTRIBUTED_CANDIDATE = ("request_id", "item", "position", "shown")
ATTRIBUTED_EVENT = (
    "id", "kind", "user_key", "at_ms", "received_ms", "item", "request_id", "position", "watched_ms",
    "duration_ms", "play_id", "started_ms",
)  # fmt: skip
"""The columns that attribution reads from the tables `requests`, `candidates` and `events` of the lake."""

ATTRIBUTION_SCHEMA = pa.schema(
    [
        pa.field("request_id", pa.string(), nullable=False),
        pa.field("user_key", pa.string(), nullable=False),
        pa.field("surface", pa.string(), nullable=False),
        pa.field("at_ms", pa.int64(), nullable=False),
        pa.field("item", pa.string(), nullable=False),
        pa.field("position", pa.int32(), nullable=False),
        pa.field("seen", pa.bool_(), nullable=False),
        pa.field("is_seen_known", pa.bool_(), nullable=False),
        pa.field("clicked", pa.bool_(), nullable=False),
        pa.field("played", pa.bool_(), nullable=False),
        pa.field("missed", pa.bool_(), nullable=False),
        pa.field("watched_ms", pa.int64()),
        pa.field("duration_ms", pa.int64()),
        pa.field("watched_share", pa.float64()),
        pa.field("completed", pa.bool_(), nullable=False),
        pa.field("quick_skip", pa.bool_(), nullable=False),
        pa.field("liked", pa.bool_(), nullable=False),
        pa.field("disliked", pa.bool_(), nullable=False),
        pa.field("action_kinds", pa.string(), nullable=False),
        pa.field("first_event_kind", pa.string()),
        pa.field("first_event_ms", pa.int64()),
        pa.field("first_event_position", pa.int32()),
    ]
)
"""One row for each shown item, in the order of (request_id, position, item).

position: as the page showed it. watched_ms: of the longest play. watched_share: of the duration, 0 to 1; 0
for a quick skip of unknown duration. liked, disliked: by the newest opinion; an undone one says neither.
action_kinds: the kinds of events that followed, without `viewed` and `undo`, separated by spaces.
first_event_*: of the first event that followed, other than `viewed`; its position is what the event states.
"""
ACTION_KINDS: tuple[EventKind, ...] = ("click", "watch", "like", "dislike", "not_interested", "subscribe")
