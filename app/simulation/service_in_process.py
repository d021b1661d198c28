"""The real service as a recommender without HTTP: each visit is one page of the one pipeline.

It runs in this process and writes what the service of a worker writes: decisions, impressions and events, at
the simulated time. Only HTTP, its limits and its metrics are missing.
"""

import heapq
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from reelrank.app.clock import SteppedClock
from reelrank.app.search.page import Page, RankingOptions
from reelrank.app.search.result_cache import ResultCache
from reelrank.app.search.result_list import ResultList
from reelrank.app.search.trial.shadow import attach_shadow
from reelrank.app.search.trial.warm_up import warm_up
from reelrank.app.simulation.asked_pages import AskedPage, PageChoices
from reelrank.app.simulation.films import Film, Films
from reelrank.app.simulation.recommenders import Feedback, Pages
from reelrank.app.simulation.service import build_events
from reelrank.app.simulation.viewers import Viewers, Visits
from reelrank.app.wiring import Container, build_service
from reelrank.index_mappings.encoder import choose_encoder
from reelrank.index_mappings.errors import EngineError
from reelrank.index_mappings.event import MINUTE_MS, Event
from reelrank.index_mappings.item import Item
from reelrank.index_mappings.query import Context, Query
from reelrank.loaders.items.catalogue import encode_documents

REFRESH_MS = 15 * MINUTE_MS
"""Simulated time between batches of events: so late, at most, a page knows of a watch that has ended. A
refresh of the service follows each batch, and costs as much as a page."""
TRIAL_WAIT_S = 60.0
"""How long to wait until a release on trial is loaded, in a thread of its own."""


class NoLaterPages(ResultCache):
    """Keeps no list: simulated viewers ask for no later part of one, and storing it is a third of a page."""

    def cache_list(self, result_list: ResultList, page: Page) -> Page:
        return replace(page, cursor=None)


class InProcessService:
    """Asks a service in this process for pages, and records what viewers did once its time has come.

    failed_pages: that the service could not answer. An empty page is an answer, such as a bad release gives.
    """

    def __init__(self, container: Container, clock: SteppedClock, films: Films, viewers: Viewers) -> None:
        self._clock = clock
        self._films = films
        self._viewers = viewers
        self._choices = PageChoices(films, viewers)
        self._waiting: list[tuple[int, str, Event]] = []
        self._refreshed_ms = 0
        self.failed_pages = 0
        settings = container.settings
        unkept = NoLaterPages(container.settings.data_dir, 0.0, str)
        service, niceness = build_service(container), os.getpriority(os.PRIO_PROCESS, 0)
        service = replace(service, result_cache=unkept)
        self.service = attach_shadow(service, settings.shadow_share, settings.loop_dir, niceness)
        warm_up(self.service)
        self.service.recorder.start()

    def recommend(self, visits: Visits, size: int) -> Pages:
        rows, request_ids, surfaces = np.full((len(visits), size), -1, np.intp), list[str](), list[str]()
        for number, (viewer, at_ms) in enumerate(
            zip(visits.rows.tolist(), visits.at_ms.tolist(), strict=True)
        ):
            asked = self._choices.choose(viewer, at_ms)
            page = self._serve(asked, at_ms, size)
            found = [] if page is None else [read_film(hit.item) for hit in page.hits]
            rows[number, : len(found)] = self._films.add(found)
            request_ids.append("" if page is None else page.request_id)
            surfaces.append(asked.surface)
        return Pages(rows, request_ids, surfaces)

    def observe(self, feedback: Feedback) -> None:
        self._choices.remember(feedback)
        for record in build_events(feedback, self._viewers.ids, self._films):
            heapq.heappush(self._waiting, (record["at_ms"], record["id"], Event(**record)))

    def publish(self, films: Sequence[Film], at_ms: int) -> None:
        self._clock.set(to_time(at_ms))
        encoder = choose_encoder(self.service.encoder, self.service.refresher.state.version)
        for batch in encode_documents([build_item(film) for film in films], encoder):
            self.service.engine.upsert(batch)

    def advance(self, now_ms: int) -> None:
        self._clock.set(to_time(now_ms))
        if now_ms < self._refreshed_ms + REFRESH_MS:
            return
        self._refreshed_ms, due = now_ms, list[Event]()
        while self._waiting and self._waiting[0][0] <= now_ms:
            due.append(heapq.heappop(self._waiting)[2])
        if due:
            self.service.record_events(due)
        self.service.refresher.refresh()

    def write_logs(self) -> None:
        """Writes all pages that wait, as a service does when it stops, and goes on."""
        self.service.recorder.close()
        self.service.recorder.start()

    def follow_releases(self) -> None:
        """Reads what serves and what is on trial, and waits until it is loaded."""
        self.service.refresher.refresh()
        until = time.monotonic() + TRIAL_WAIT_S
        while time.monotonic() < until:
            trial = self.service.refresher.trial
            if (trial.canary is None or trial.canary_state) and (trial.shadow is None or trial.shadow_state):
                return
            time.sleep(0.02)

    def close(self) -> None:
        """Writes what waits, and ends the threads of the service."""
        self.service.recorder.close()
        self.service.pool.shutdown()
        self.service.viewer_pool.shutdown()

    def _serve(self, asked: AskedPage, at_ms: int, size: int) -> Page | None:
        self._clock.set(to_time(at_ms))
        try:
            return self.service.serve_page(RankingOptions(build_query(asked, at_ms, size)))
        except EngineError:
            self.failed_pages += 1
            return None


def build_query(asked: AskedPage, at_ms: int, size: int) -> Query:
    """Builds the query of a page at a time."""
    return Query(
        text=asked.text or None,
        user=asked.user,
        similar_to=asked.similar_to or None,
        limit=size,
        context=Context(to_time(at_ms)),
    )


def to_time(at_ms: int) -> datetime:
    """Converts milliseconds since 1970-01-01 UTC."""
    return datetime.fromtimestamp(at_ms / 1000, UTC)


def build_item(film: Film) -> Item:
    """Builds the item of a made-up film."""
    return Item(
        film.id,
        f"Simulated film {film.id.removeprefix('simulated-')}",
        genres=film.genres,
        duration_s=(film.duration_ms or 0) // 1000,
        published_at=to_time(film.published_ms or 0),
    )


def read_film(item: Item) -> Film:
    """Returns what an item states about the truth of its film."""
    published_ms = round(item.published_at.timestamp() * 1000) if item.published_at else None
    return Film(
        item.id, tuple(item.genres), 1000 * item.duration_s if item.duration_s else None, published_ms
    )
