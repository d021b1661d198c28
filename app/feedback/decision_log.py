"""The decision log: what was ranked for each request, written into the lake by a thread after the answer.

Every request has a row, and every shown item. For a share of requests the whole group of candidates is
written, never a part of it. Every shown item becomes an impression event, too.
"""

import queue
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from reelrank.app.background import BackgroundTask
from reelrank.app.clock import Clock
from reelrank.app.feedback.background_writer import (
    CLOSE_S,
    CLOSED_EARLY,
    FLUSH_S,
    TRANSIENT_FAILURES,
    drain_queue,
    write_isolated,
)
from reelrank.app.feedback.candidate_rows import LoggedPage, build_candidate_table
from reelrank.app.feedback.dashboard_log import DashboardLog
from reelrank.app.feedback.decision_rows import (
    DecisionRows,
    RowBuilder,
    build_request_table,
    replace_surrogates,
)
from reelrank.app.feedback.impression_log import format_impression_id
from reelrank.app.search.page import Page
from reelrank.app.search.result_list import ResultList
from reelrank.index_mappings.errors import explain
from reelrank.index_mappings.event import Event
from reelrank.index_mappings.event_store import EventStore
from reelrank.loaders.lake.manifest import find_open_date
from reelrank.loaders.lake.writer import LakeWriter

MAX_QUEUED_PAGES = 1000
"""Pages that may wait to be written; more are dropped and counted, so that a slow disk delays no answer."""
FLUSH_LAKE_S = 60.0
"""How long rows wait for others before they become a file: what a killed process loses of the lake."""
ROWS_PER_FILE = 100_000
"""Rows after which files are written at once: about 30 MB in memory."""
MAX_WAITING_ROWS = 2 * ROWS_PER_FILE
"""Rows that wait while the lake cannot be written; older ones are dropped and counted."""


log = structlog.get_logger("reelrank.decision_log")


@dataclass(frozen=True, slots=True)
class LakeOutput:
    """Where decisions go. build_writer: opens the lake. clock: decides which dates are open."""

    build_writer: Callable[[], LakeWriter]
    rows: RowBuilder
    clock: Clock


class DecisionLog:
    """Writes impressions and decisions in a thread.

    sample_share: of the requests whose whole group is written. on_dropped: called with the reason for each
    page that is not recorded. dashboard_log: None where there are no dashboards.
    """

    def __init__(
        self,
        lake: LakeOutput,
        events: EventStore,
        sample_share: float,
        on_dropped: Callable[[str], None],
        dashboard_log: DashboardLog | None = None,
    ) -> None:
        self._lake = lake
        self._events = events
        self._sample_share = sample_share
        self._on_dropped = on_dropped
        self._dashboard_log = dashboard_log
        self._queue: queue.Queue[LoggedPage] = queue.Queue(MAX_QUEUED_PAGES)
        self._unsent: list[LoggedPage] = []
        self._rows: list[DecisionRows] = []
        self._writer: LakeWriter | None = None
        self._flushed_s = time.monotonic()
        self._task = BackgroundTask(
            "decision-log", lambda: self._write(False), FLUSH_S, lambda: self._write(True)
        )

    def start(self) -> None:
        """Starts writing, in a thread of this process."""
        self._task.start()
        if self._dashboard_log is not None:
            self._dashboard_log.start()

    def record(self, result_list: ResultList, page: Page) -> None:
        """Queues a page. Never waits."""
        if self._dashboard_log is not None:
            self._dashboard_log.record_page(result_list, page)
        try:
            self._queue.put_nowait(LoggedPage(result_list, page, self.is_sampled(page.request_id)))
        except queue.Full:
            self._on_dropped("the queue is full")

    def record_interactions(self, events: Sequence[Event]) -> None:
        """Queues acknowledged events for the dashboards. Never waits."""
        if self._dashboard_log is not None:
            self._dashboard_log.record_interactions(events)

    def close(self) -> None:
        """Writes everything that waits, then ends. What takes longer than CLOSE_S is logged and counted."""
        until = time.monotonic() + CLOSE_S
        if self._dashboard_log is not None:
            self._dashboard_log.begin_close()
        if not self._task.stop(CLOSE_S):
            pages = max(len(self._unsent), len(self._rows)) + self._queue.qsize()
            log.error("pages not recorded", pages=pages, reason=CLOSED_EARLY)
            self._count_dropped(pages, CLOSED_EARLY)
        if self._dashboard_log is not None:
            self._dashboard_log.close(max(until - time.monotonic(), 0.0))

    def is_sampled(self, request_id: str) -> bool:
        """Decides by the id of the request, so that every part of a list has the same answer."""
        return zlib.crc32(request_id.encode()) < self._sample_share * 2**32

    def _write(self, is_last: bool) -> None:
        """Writes impressions at once, decisions when enough of them wait. Neither stops the other."""
        pages = drain_queue(self._queue)
        self._add_decisions(pages)
        self._record_impressions([*self._unsent, *pages])
        if is_last or self._is_flush_due():
            self._flush_rows()
        if is_last:
            self._count_dropped(len(self._unsent), "the engine is away")
            self._count_dropped(len(self._rows), "the lake is away")

    def _record_impressions(self, pages: Sequence[LoggedPage]) -> None:
        """Appends impressions. While the engine is away, the newest MAX_QUEUED_PAGES wait for it."""
        waited, self._unsent = len(self._unsent), list(pages)
        try:
            self._report_rejected(write_isolated(self._append, pages))
            self._unsent = []
        except TRANSIENT_FAILURES as error:
            if not waited:
                log.warning("impressions wait for the engine", reason=explain(error), pages=len(pages))
            self._unsent = list(pages[-MAX_QUEUED_PAGES:])
            self._count_dropped(len(pages) - len(self._unsent), "the engine is away")

    def _append(self, pages: Sequence[LoggedPage]) -> None:
        if impressions := [
            event for logged in pages for event in build_impression_events(logged.result_list, logged.page)
        ]:
            self._events.append(impressions)

    def _add_decisions(self, pages: Sequence[LoggedPage]) -> None:
        try:
            self._report_rejected(write_isolated(self._add_rows, pages))
        except TRANSIENT_FAILURES as error:
            log.error("decisions not recorded", reason=str(error), pages=len(pages))
            self._count_dropped(len(pages), "no key for viewers")

    def _add_rows(self, pages: Sequence[LoggedPage]) -> None:
        self._rows += [self._lake.rows.build(logged) for logged in pages]

    def _is_flush_due(self) -> bool:
        is_full = sum(map(len, self._rows)) >= ROWS_PER_FILE
        return is_full or time.monotonic() - self._flushed_s > FLUSH_LAKE_S

    def _flush_rows(self) -> None:
        """Writes the rows that wait; while the lake is away, the newest MAX_WAITING_ROWS of them stay."""
        self._flushed_s = time.monotonic()
        try:
            self._report_rejected(write_isolated(self._write_files, self._rows))
            self._rows = []
        except TRANSIENT_FAILURES as error:
            log.warning("decisions wait for the lake", reason=str(error), pages=len(self._rows))
        waiting = sum(map(len, self._rows))
        while waiting > MAX_WAITING_ROWS:
            waiting -= len(self._rows.pop(0))
            self._count_dropped(1, "the lake is away")

    def _write_files(self, rows: Sequence[DecisionRows]) -> None:
        self._writer = self._writer or self._lake.build_writer()
        candidates = build_candidate_table([part.candidates for part in rows])
        open_from = find_open_date(self._lake.clock.now())
        self._writer.write_decisions(build_request_table(rows), candidates, open_from)

    def _report_rejected(self, rejected: Sequence[tuple[Any, Exception]]) -> None:
        """Counts records that cannot be written, and logs the first reason."""
        if rejected:
            log.error("pages not recorded", pages=len(rejected), reason=repr(rejected[0][1])[:300])
        for _, error in rejected:
            self._on_dropped(type(error).__name__)

    def _count_dropped(self, pages: int, reason: str) -> None:
        for _ in range(pages):
            self._on_dropped(reason)


def build_impression_events(result_list: ResultList, page: Page) -> list[Event]:
    query = result_list.query
    return [
        Event(
            id=format_impression_id(page.request_id, hit.position),
            kind="impression",
            user=query.user or "",
            at_ms=query.context.at_ms,
            item=hit.item.id,
            request_id=page.request_id,
            position=hit.position,
            text=replace_surrogates(query.text or ""),
            device=query.context.device,
            country=query.context.country,
            degraded=", ".join(page.missing_parts),
            surface=query.kind,
            model=page.model,
            release=result_list.release,
            experiment=result_list.experiment,
            variant=result_list.variant,
            propensity=hit.exploration_slot.propensity if hit.exploration_slot else None,
            came_from=hit.exploration_slot.ranked_position if hit.exploration_slot else None,
        )
        for hit in page.hits
    ]
