"""A made-up hour with traffic in one process: home, device, search, filtered and similar pages, and what
viewers did with them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from reelrank.app.clock import SimulatedClock, to_ms
from reelrank.app.search.page import Page, RankingOptions
from reelrank.app.search.service import SearchService
from reelrank.app.wiring import Container, build_release_manager, build_service
from reelrank.index_mappings.event import Event
from reelrank.index_mappings.query import Context, Filters, Query
from tests.sample_project import add_model, build_project

ROUNDS = 2
VIEWERS = 4
DEVICES = ("tv", "phone", "")


@dataclass(frozen=True, slots=True)
class ServedHour:
    """The container that served, and the pages in their order."""

    container: Container
    pages: Sequence[Page]


def serve_hour(data_dir: Path, begin: datetime, model: str = "") -> ServedHour:
    """Serves ROUNDS pages of five kinds to each viewer, who play the second film of each home page.

    model: the name of one that ranks; empty for the fused order.
    """
    container = build_project(data_dir, begin, engine_settings={"clock": "simulated", "log_share": "0.5"})
    if model:
        add_model(container, model, 0)
        build_release_manager(container).promote_model(model)
    service = build_service(container)
    service.refresher.refresh()
    service.recorder.start()
    pages = list[Page]()
    for number in range(ROUNDS):
        at = begin + timedelta(minutes=25 * number + 1)
        visits = [
            _visit(service, f"u{n}", at + timedelta(milliseconds=9 * n), number) for n in range(VIEWERS)
        ]
        pages += [page for visit in visits for page in visit]
        _wait_for_impressions(container, sum(len(page.hits) for page in pages))
        actions = [event for n, visit in enumerate(visits) for event in _act(f"u{n}", visit, to_ms(at))]
        assert isinstance(service.clock, SimulatedClock)
        service.clock.set(at + timedelta(seconds=30))
        service.record_events(actions)
        service.clock.set(None)
    service.recorder.close()
    service.pool.shutdown()
    service.viewer_pool.shutdown()
    return ServedHour(container, pages)


def _visit(service: SearchService, user: str, at: datetime, number: int) -> list[Page]:
    """Serves the pages of one viewer, one after the other, with the counters of that moment."""
    context = Context(at, "US", DEVICES[number % len(DEVICES)])
    topic = ("Sea", "Space")[number % 2]
    queries = (
        Query(user=user, context=context, limit=8),
        Query(text=f"{topic} story {number}", user=user, context=context, limit=8),
        Query(user=user, context=context, limit=8, filters=Filters(genres=(topic,), year_min=2003)),
        Query(user=user, similar_to=f"sea{number}", context=context, limit=8),
        Query(text=topic, user=user, context=context, filters=Filters(year_max=2009), exclude=("sea3",)),
    )
    pages = list[Page]()
    for query in queries:
        service.refresher.refresh()
        pages.append(service.serve_page(RankingOptions(query)))
    return pages


def _act(user: str, visit: Sequence[Page], at_ms: int) -> list[Event]:
    home, search = visit[:2]
    played, disliked = home.hits[1], home.hits[2]
    request = home.request_id
    return [
        Event(f"s-{request}", "search", user, at_ms + 5_000, text="sea story", request_id=search.request_id),
        Event(
            f"w-{request}", "watch", user, at_ms + 20_000, played.item.id, 4_000_000, 6_000_000, request, 1
        ),
        Event(f"d-{request}", "dislike", user, at_ms + 21_000, disliked.item.id, None, None, request, 2),
    ]


def _wait_for_impressions(container: Container, expected: int) -> None:
    """Waits for the thread of the decision log, which writes them twice a second."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        batches = container.events.scan(0, 2**62, ("impression",), ("id",))
        if sum(batch.num_rows for batch in batches) >= expected:
            return
        time.sleep(0.05)
    raise AssertionError("the impressions were not written")
