"""The viewer that a cookie names, and what they watched recently."""

import math
from dataclasses import dataclass

from flask import Response, request

from reelrank.app.search.hydration import FETCH_TIMEOUT_S, fetch_items
from reelrank.app.search.service import SearchService
from reelrank.index_mappings.event import EventKind
from reelrank.index_mappings.item import Item
from reelrank.ranking.items.engagements import compute_watched_share

VIEWER_COOKIE = "viewer"
YEAR_S = 365 * 86_400
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
    return request.cookies.get(VIEWER_COOKIE, "")[:MAX_USER_ID_LENGTH].strip()


def load_viewer_profile(user_id: str, service: SearchService) -> ViewerProfile:
    if not user_id:
        return ViewerProfile("")
    watches = service.events.recent(user_id, RECENT_WATCHES, FETCH_TIMEOUT_S, ("watch",))
    newest = list({event.item: event for event in reversed(watches)}.values())[::-1][:SHOWN_WATCHES]
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


def set_viewer_cookie(response: Response, user_id: str) -> None:
    if user_id:
        response.set_cookie(VIEWER_COOKIE, user_id, max_age=YEAR_S, httponly=True, samesite="Lax")
    else:
        response.delete_cookie(VIEWER_COOKIE)
