"""Who is looking, from a cookie, and what they watched lately."""

import math
from dataclasses import dataclass

from flask import Response, request

from app.search.showing import FETCH_S, fetched
from app.search.stories import Service
from index_mappings.item import Item
from ranking.viewer import watched_share

COOKIE = "viewer"
YEAR_S = 365 * 86_400
SHOWN_WATCHES = 12
RECENT_WATCHES = 50
MAX_NAME = 128


@dataclass(frozen=True, slots=True)
class Watched:
    """A film lately watched; percent: how much of it, None when unknown."""

    item: Item
    percent: int | None


@dataclass(frozen=True, slots=True)
class Person:
    """name: empty for a stranger. simulated: their watch times were made from ratings."""

    name: str
    watched: tuple[Watched, ...] = ()
    simulated: bool = False


def picked_name() -> str:
    return request.cookies.get(COOKIE, "")[:MAX_NAME].strip()


def person_of(name: str, service: Service) -> Person:
    if not name:
        return Person("")
    watches = service.events.recent(name, RECENT_WATCHES, FETCH_S, ("watch",))
    newest = list({event.item: event for event in reversed(watches)}.values())[::-1][:SHOWN_WATCHES]
    items, _ = fetched(service.engine, [event.item for event in newest], FETCH_S)
    shares = [watched_share(event.watched_ms, event.duration_ms) for event in newest]
    watched = tuple(
        Watched(item, None if math.isnan(share) else round(100 * share))
        for item, share in zip(items, shares, strict=True)
        if item is not None
    )
    return Person(name, watched, any(event.simulated for event in newest))


def remember(response: Response, name: str) -> None:
    if name:
        response.set_cookie(COOKIE, name, max_age=YEAR_S, httponly=True, samesite="Lax")
    else:
        response.delete_cookie(COOKIE)
