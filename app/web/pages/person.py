"""The viewer that the session names, and what they watched recently."""

import math
from dataclasses import dataclass

from flask import session

from reelrank.app.search.hydration import FETCH_TIMEOUT_S, fetch_items
from reelrank.app.search.service import SearchService
from reelrank.index_mappings.event import Event, EventKind
from reelrank.index_mappings.item import Item
from reelrank.ranking.items.engagements import compute_watched_share

VIEWER = "viewer"
SHOWN_WATCHES = 12
RECENT_WATCHES = 50
MAX_USER_ID_LENGTH = 128
OPINIONS: dict[EventKind, str] = {
    "like": "You like this film.",
    "subscribe": "You subscribed to this film.",
    "dislike": "You dislike this film.",
    "not_interested": "You are not interested in this film.",
}


@dataclass(frozen=True, slots=True)
class WatchedItem:
    """A recently watched film. percent: the watched part, None when unknown."""

    item: Item
    percent: int | None


@dataclass(frozen=True, slots=True)
class ViewerProfile:
    """What the page of a viewer shows.

    user_id: empty for an unknown viewer. simulated: whether watch times are derived from ratings."""

    user_id: str
    watched_items: tuple[WatchedItem, ...] = ()
    simulated: bool = False


def read_user_id() -> str:
    """Returns the viewer of this session; empty without one."""
    user_id = session.get(VIEWER)
    return user_id[:MAX_USER_ID_LENGTH].strip() if isinstance(user_id, str) else ""


def load_viewer_profile(user_id: str, service: SearchService) -> ViewerProfile:
    if not user_id:
        return ViewerProfile("")
    watches = service.events.recent(user_id, RECENT_WATCHES, FETCH_TIMEOUT_S, ("watch",))
    by_item: dict[str, Event] = {}
    for event in watches:  # newest first: the newest watch of each item gives its place
        by_item.setdefault(event.item, event)
    newest = list(by_item.values())[:SHOWN_WATCHES]
    items, _ = fetch_items(service.engine, [event.item for event in newest], FETCH_TIMEOUT_S)
    shares = [compute_watched_share(event.watched_ms, event.duration_ms) for event in newest]
    watched = tuple(
        WatchedItem(item, None if math.isnan(share) else round(100 * share))
        for item, share in zip(items, shares, strict=True)
        if item is not None
    )
    return ViewerProfile(user_id, watched, any(event.simulated for event in newest))


def describe_opinion(user_id: str, item_id: str, service: SearchService) -> str:
    """Returns what the viewer said about a film, as a sentence; empty when they said nothing."""
    if not user_id:
        return ""
    return OPINIONS.get(service.events.opinions(user_id, FETCH_TIMEOUT_S).get(item_id, "undo"), "")


def remember_viewer(user_id: str) -> None:
    """Makes this the viewer of the session; an empty id is nobody."""
    session.permanent = True
    if user_id:
        session[VIEWER] = user_id
    else:
        session.pop(VIEWER, None)
