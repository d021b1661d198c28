"""Made-up viewers whose pages are chosen at random: past impressions say nothing about what they want."""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from reelrank.index_mappings.event import DAY_MS, EVENT_SCHEMA, HOUR_MS, MINUTE_MS, Event
from reelrank.index_mappings.item import Item

FILMS, VIEWERS, DAYS, SHOWN, TOPICS = 120, 30, 12, 8, 4
PAGES_A_DAY = 2
START = datetime(2026, 11, 1, tzinfo=UTC)
START_MS = round(START.timestamp() * 1000)
WANTED, OTHER = 0.5, 0.02
"""How likely a viewer watches a shown film of their topic, and another one."""


@dataclass(frozen=True, slots=True)
class PlantedPage:
    """A page that was shown, and what was watched from it."""

    user: str
    at_ms: int
    shown: tuple[str, ...]
    watched: frozenset[str]


def make_films() -> list[Item]:
    return [
        Item(f"film{n:02}", f"Story {n}", genres=(f"Topic{n % TOPICS}",), duration_s=6000,
             published_at=datetime(2000 + n % 20, 1, 1, tzinfo=UTC))
        for n in range(FILMS)
    ]  # fmt: skip


def make_pages(seed: int = 0) -> tuple[list[PlantedPage], pa.Table]:
    """Returns the pages in the order of time, and the events: impressions, and watches minutes later."""
    rng, pages, events = np.random.default_rng(seed), list[PlantedPage](), list[Event]()
    watched = {user: set[int]() for user in range(VIEWERS)}
    for slot in range(DAYS * PAGES_A_DAY):
        for user in range(VIEWERS):
            at_ms = START_MS + slot * DAY_MS // PAGES_A_DAY + int(rng.integers(10 * HOUR_MS))
            unseen = np.array(sorted(set(range(FILMS)) - watched[user]))
            shown = rng.choice(unseen, min(SHOWN, len(unseen)), replace=False)
            is_wanted = shown % TOPICS == user % TOPICS
            taken = shown[rng.random(len(shown)) < np.where(is_wanted, WANTED, OTHER)]
            watched[user] |= set(taken.tolist())
            pages.append(_make_page(user, at_ms, shown, taken))
            events += _make_events(pages[-1], slot)
    columns = {field.name: [getattr(e, field.name) for e in events] for field in EVENT_SCHEMA}
    return sorted(pages, key=lambda page: page.at_ms), pa.Table.from_pydict(columns, EVENT_SCHEMA)


def _make_page(user: int, at_ms: int, shown: np.ndarray, taken: np.ndarray) -> PlantedPage:
    names = tuple(f"film{n:02}" for n in shown)
    return PlantedPage(f"u{user}", at_ms, names, frozenset(f"film{n:02}" for n in taken))


def _make_events(page: PlantedPage, slot: int) -> list[Event]:
    request = f"{page.user}-{slot}"
    shown = [
        Event(f"{request}-{n}", "impression", page.user, page.at_ms, item, request_id=request, position=n)
        for n, item in enumerate(page.shown)
    ]
    watches = [
        Event(f"{request}-w{n}", "watch", page.user, page.at_ms + (n + 2) * MINUTE_MS, item, 60, 70, request)
        for n, item in enumerate(sorted(page.watched))
    ]
    return [*shown, *watches]
