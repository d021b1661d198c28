"""The decision log: the shown items and the candidates of a page, written in a thread after the answer.

Every shown item becomes an impression event. For a share of requests the whole candidate group is written
(`candidate_groups.py`), never a part of it.
"""

import queue
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import structlog

from reelrank.app.background import BackgroundTask
from reelrank.app.feedback.background_writer import (
    CLOSE_S,
    FLUSH_S,
    PASSING_FAILURES,
    drain_queue,
    write_isolated,
)
from reelrank.app.feedback.candidate_groups import build_group, format_day, replace_surrogates, write_groups
from reelrank.app.feedback.dashboard_log import DashboardLog
from reelrank.app.feedback.impression_log import format_impression_id
from reelrank.app.search.page import Page
from reelrank.app.search.result_list import ResultList
from reelrank.index_mappings.errors import explain
from reelrank.index_mappings.event import Event
from reelrank.index_mappings.event_store import EventStore

MAX_QUEUED_PAGES = 1000
"""Pages that may wait to be written; more are dropped and counted, so that a slow disk delays no answer."""
REQUESTS_PER_GROUP_FILE = 200

log = structlog.get_logger("reelrank.page_log")


@dataclass(frozen=True, slots=True, eq=False)
class LoggedPage:
    """One part of a ranked list, as it was answered."""

    result_list: ResultList
    page: Page


class DecisionLog:
    """Writes impressions and candidate groups in a thread.

    sample_share: of the requests whose whole group is written. on_dropped: called with the reason for each
    page that is not recorded. dashboard_log: None where there are no dashboards.
    """

    def __init__(
        self,
        directory: Path,
        events: EventStore,
        sample_share: float,
        on_dropped: Callable[[str], None],
        dashboard_log: DashboardLog | None = None,
    ) -> None:
        self._directory = directory
        self._events = events
        self._sample_share = sample_share
        self._on_dropped = on_dropped
        self._dashboard_log = dashboard_log
        self._queue: queue.Queue[LoggedPage] = queue.Queue(MAX_QUEUED_PAGES)
        self._unsent: list[LoggedPage] = []
        self._groups: list[pa.RecordBatch] = []
        self._flushed_s = time.monotonic()
        self._task = BackgroundTask(
            "page-log", lambda: self._write(False), FLUSH_S, lambda: self._write(True)
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
            self._queue.put_nowait(LoggedPage(result_list, page))
        except queue.Full:
            self._on_dropped("the queue is full")

    def record_interactions(self, events: Sequence[Event]) -> None:
        """Queues acknowledged events for the dashboards. Never waits."""
        if self._dashboard_log is not None:
            self._dashboard_log.record_interactions(events)

    def close(self) -> None:
        """Writes everything that waits, then ends."""
        self._task.stop(CLOSE_S)
        if self._dashboard_log is not None:
            self._dashboard_log.close()

    def is_sampled(self, request_id: str) -> bool:
        """Decides by the id of the request, so that every part of a list has the same answer."""
        return zlib.crc32(request_id.encode()) < self._sample_share * 2**32

    def _write(self, is_last: bool) -> None:
        pages = drain_queue(self._queue)
        self._record_impressions([*self._unsent, *pages])
        self._record_groups(pages)
        if is_last or self._is_flush_due():
            self._flush_groups()
        if is_last:
            self._count_dropped(len(self._unsent), "the engine is away")
            self._count_dropped(len(self._groups), "the disk is away")

    def _record_impressions(self, pages: Sequence[LoggedPage]) -> None:
        """Appends impressions. While the engine is away, the newest MAX_QUEUED_PAGES wait for it."""
        waited, self._unsent = len(self._unsent), []
        try:
            self._report_rejected(write_isolated(self._append, pages))
        except PASSING_FAILURES as error:
            if not waited:
                log.warning("impressions wait for the engine", reason=explain(error), pages=len(pages))
            self._unsent = list(pages[-MAX_QUEUED_PAGES:])
            self._count_dropped(len(pages) - len(self._unsent), "the engine is away")

    def _append(self, pages: Sequence[LoggedPage]) -> None:
        if impressions := [
            event for logged in pages for event in build_impression_events(logged.result_list, logged.page)
        ]:
            self._events.append(impressions)

    def _record_groups(self, pages: Sequence[LoggedPage]) -> None:
        """Builds the groups of sampled requests; a list without candidates has no rows."""
        sampled = [
            logged
            for logged in pages
            if logged.result_list.signals is not None
            and len(logged.result_list.candidates)
            and self.is_sampled(logged.page.request_id)
        ]
        self._report_rejected(write_isolated(self._add_groups, sampled))

    def _add_groups(self, pages: Sequence[LoggedPage]) -> None:
        self._groups += [build_group(logged.result_list, logged.page) for logged in pages]

    def _is_flush_due(self) -> bool:
        return len(self._groups) >= REQUESTS_PER_GROUP_FILE or time.monotonic() - self._flushed_s > 60.0

    def _flush_groups(self) -> None:
        """Writes a file for each schema and day. While the disk is away, groups of at most two files wait."""
        self._flushed_s = time.monotonic()
        groups, self._groups = self._groups, []
        by_file: dict[tuple[pa.Schema, str], list[pa.RecordBatch]] = {}
        for group in groups:
            by_file.setdefault((group.schema, format_day(group)), []).append(group)
        for alike in by_file.values():
            try:
                self._report_rejected(write_isolated(self._write_file, alike))
            except PASSING_FAILURES as error:
                log.warning("groups wait for the disk", reason=str(error), groups=len(alike))
                self._groups += alike
        self._count_dropped(len(self._groups) - 2 * REQUESTS_PER_GROUP_FILE, "the disk is away")
        self._groups = self._groups[-2 * REQUESTS_PER_GROUP_FILE :]

    def _write_file(self, groups: Sequence[pa.RecordBatch]) -> None:
        write_groups(self._directory, groups)

    def _report_rejected(self, rejected: Sequence[tuple[LoggedPage | pa.RecordBatch, Exception]]) -> None:
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
            propensity=hit.exploration_slot.propensity if hit.exploration_slot else None,
            came_from=hit.exploration_slot.ranked_position if hit.exploration_slot else None,
        )
        for hit in page.hits
    ]
