"""A viewer: what one person did up to a point in time. Anonymous viewers have no past."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from reelrank.index_mappings.event import LIKE_KINDS, USER_ACTIONS, Event
from reelrank.index_mappings.event_store import PastEvent, select_newest_opinions
from reelrank.index_mappings.match import ItemIds, encode_item_ids

MAX_ACTIONS = 1000
"""How many of a viewer's newest actions count: twice MAX_WATCHES, to leave room for clicks and likes."""
MAX_WATCHES, MAX_IMPRESSIONS, MAX_QUERIES = 500, 1000, 20
"""Limits on a viewer's newest watches, impressions and searches. A choice; no measurement is recorded."""
AnyEvent = Event | PastEvent
"""What a past is built of: whole events in the backtest, the fields that count in serving."""


@dataclass(frozen=True, slots=True, eq=False)
class WatchedItems:
    """What a viewer watched, each item once, newest first.

    ids [w]; at_ms [w] int64 of the newest watch. watched_ms and duration_ms [w] float64 of the longest
    watch of the item, NaN where unknown: a player that reports every minute says the same as one that
    reports at the end, and a film that was seen to the end is not left when its beginning is seen again.
    """

    ids: ItemIds
    at_ms: NDArray[np.int64]
    watched_ms: NDArray[np.float64]
    duration_ms: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True, eq=False)
class Opinions:
    """Items that a viewer judged, newest first: ids [o], at_ms [o] int64, is_liked [o]."""

    ids: ItemIds
    at_ms: NDArray[np.int64]
    is_liked: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Viewer:
    """What a viewer did. Arrays other than `seen` are newest first.

    watched: the newest MAX_WATCHES items. opinions: those among the newest MAX_ACTIONS actions. seen [s]:
    ids of every item ever watched, liked or rejected, each once and in no order, however long the history.
    shown [i]: ids of past impressions; shown_at_ms [i] int64. queries: past search texts.
    """

    user: str
    watched: WatchedItems
    opinions: Opinions
    shown: ItemIds
    shown_at_ms: NDArray[np.int64]
    queries: tuple[str, ...]
    seen: ItemIds

    @property
    def has_past(self) -> bool:
        """Returns whether anything is known of what they like: a watch, an opinion or a search."""
        return bool(len(self.watched) or len(self.opinions.ids) or self.queries)


def build_anonymous_viewer(user_id: str = "", seen: Collection[str] = frozenset()) -> Viewer:
    """Builds a viewer about whom nothing is known, or only what no list may show them."""
    return build_viewer(user_id, (), 0, seen)


def build_viewer(
    user_id: str, events: Iterable[AnyEvent], as_of_ms: int, seen: Collection[str] = frozenset()
) -> Viewer:
    """Builds the viewer from these events (any order) before `as_of_ms`.

    Only the newest MAX_ACTIONS actions and MAX_IMPRESSIONS impressions count, however many are given: serving
    reads no more of them. seen: items watched or judged before then, also in events that are not given.
    """
    past = sorted((e for e in events if e.at_ms < as_of_ms), key=attrgetter("id"))
    past.sort(key=attrgetter("at_ms"), reverse=True)  # stable: of one time, the smaller id is first
    actions = [e for e in past if e.kind in USER_ACTIONS][:MAX_ACTIONS]
    shown = [e for e in past if e.kind == "impression"][:MAX_IMPRESSIONS]
    queries = [e.text for e in actions if e.kind == "search" and e.text][:MAX_QUERIES]
    watched, judged = {e.item for e in past if e.kind == "watch"}, select_newest_opinions(past)
    return Viewer(
        user_id,
        _collect_watches([e for e in actions if e.kind == "watch"]),
        _collect_opinions(actions if judged else ()),
        encode_item_ids(e.item for e in shown),
        np.array([e.at_ms for e in shown], np.int64),
        tuple(queries),
        encode_item_ids(watched.union(judged, seen)),
    )


def _collect_watches(events: Sequence[AnyEvent]) -> WatchedItems:
    """Collects watches, newest first, by item."""
    by_item: dict[str, list[AnyEvent]] = {}
    for event in events:
        by_item.setdefault(event.item, []).append(event)
    watches = list(by_item.items())[:MAX_WATCHES]
    longest = [max(same, key=_get_watched_ms) if len(same) > 1 else same[0] for _, same in watches]
    return WatchedItems(
        encode_item_ids(item for item, _ in watches),
        np.array([same[0].at_ms for _, same in watches], np.int64),
        np.array([e.watched_ms for e in longest], np.float64),
        np.array([e.duration_ms for e in longest], np.float64),
    )


def _get_watched_ms(event: AnyEvent) -> int:
    return -1 if event.watched_ms is None else event.watched_ms


def _collect_opinions(actions: Sequence[AnyEvent]) -> Opinions:
    kinds = select_newest_opinions(actions)
    judged = {e.item: e.at_ms for e in reversed(actions) if kinds.get(e.item) == e.kind}
    newest_first = sorted(judged, key=lambda item: (-judged[item], item))
    return Opinions(
        encode_item_ids(newest_first),
        np.array([judged[item] for item in newest_first], np.int64),
        np.array([kinds[item] in LIKE_KINDS for item in newest_first], bool),
    )
