"""Requests as the demo's own viewers would send them: the heavy ones as often as they watched."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from urllib.parse import urlencode

from reelrank.app.search.service import SearchService
from reelrank.app.wiring import Container, warm_service

TITLES, PAGE_SIZE, TYPED, SEED = 200, 20, 5, 5
FETCH_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class History:
    """viewers: drawn from those of the event store, half of them evenly and half by their number of watches.

    texts: the first two words of the most watched titles. items: ids of the most watched items.
    """

    viewers: Sequence[str]
    texts: Sequence[str]
    items: Sequence[str]

    def list_homes(self) -> list[str]:
        """Returns the paths of home pages."""
        return [_build_path("recommendations", user=viewer) for viewer in self.viewers]

    def list_searches(self) -> list[str]:
        """Returns the paths of searches, by the same viewers."""
        pairs = zip(self.viewers, cycle(self.texts), strict=False)
        return [_build_path("search", q=text, user=viewer) for viewer, text in pairs]

    def list_suggestions(self) -> list[str]:
        """Returns the paths of suggestions for the first letters of each text."""
        return [f"/v1/suggest?{urlencode({'q': text[:TYPED]})}" for text in self.texts]


def draw_history(container: Container, count: int) -> History:
    """Draws `count` viewers of the demo, and texts that they could search for."""
    service, draws = warm_service(container), random.Random(SEED)
    counts = dict(service.refresher.state.activity.list_busiest_viewers(10**9))
    names = sorted(counts)
    viewers = draws.choices(names, k=count - count // 2)
    viewers += draws.choices(names, [counts[name] for name in names], k=count // 2)
    draws.shuffle(viewers)
    items = _list_most_watched(service)
    fetched = service.engine.fetch(items, FETCH_TIMEOUT_S)
    texts = [" ".join(item.title.split()[:2]) for item in fetched if item is not None]
    return History(viewers, texts, items)


def _list_most_watched(service: SearchService) -> list[str]:
    state = service.refresher.state
    rows, _ = state.activity.popularity.find_most_watched(TITLES, lambda rows: rows >= 0)
    return [name.decode() for name in state.table.ids[rows].tolist()]


def _build_path(name: str, **parameters: str) -> str:
    return f"/v1/{name}?{urlencode({**parameters, 'limit': str(PAGE_SIZE)})}"
