"""The lines that dashboards read: one for each page, each shown item and each interaction that follows.

They are written by a thread after the answer. Nothing else reads them.
"""

import queue
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import structlog

from reelrank.app.background import BackgroundTask
from reelrank.app.feedback.background_writer import (
    CLOSE_S,
    CLOSED_EARLY,
    FLUSH_S,
    TRANSIENT_FAILURES,
    drain_queue,
    write_isolated,
)
from reelrank.app.feedback.impression_log import (
    Impression,
    Impressions,
    build_impressions,
    find_impression_id,
)
from reelrank.app.feedback.request_summary import Summaries, build_summary
from reelrank.app.search.page import Page
from reelrank.app.search.result_list import ResultList
from reelrank.index_mappings.errors import explain
from reelrank.index_mappings.event import Event

MAX_PAGES, MAX_INTERACTIONS = 1000, 10_000
"""How many may wait to be written; more are dropped and counted."""
INTERACTION_WAIT_S = 5.0
"""How long an interaction waits for its impression, which another worker may still be writing."""

T = TypeVar("T")
log = structlog.get_logger("reelrank.dashboard_log")


@dataclass(frozen=True, slots=True)
class DashboardStreams:
    """The data streams that dashboards read."""

    summaries: Summaries
    impressions: Impressions


class DashboardLog:
    """Writes lines for dashboards in a thread.

    on_dropped: called with a reason for each page or interaction that is not recorded. identify: a user id
    to its keyed hash, which is all that dashboards see of a viewer.
    """

    def __init__(
        self,
        streams: DashboardStreams,
        on_dropped: Callable[[str], None],
        identify: Callable[[str], str],
    ) -> None:
        self._streams = streams
        self._identify = identify
        self._on_dropped = on_dropped
        self._pages: queue.Queue[tuple[ResultList, Page]] = queue.Queue(MAX_PAGES)
        self._interactions: queue.Queue[tuple[float, Event]] = queue.Queue(MAX_INTERACTIONS)
        self._pending_interactions: list[tuple[float, Event]] = []
        self._task = BackgroundTask(
            "dashboard-log", lambda: self._write(False), FLUSH_S, lambda: self._write(True)
        )

    def start(self) -> None:
        """Starts writing, in a thread of this process."""
        self._task.start()

    def record_page(self, result_list: ResultList, page: Page) -> None:
        """Queues a page. Never waits."""
        try:
            self._pages.put_nowait((result_list, page))
        except queue.Full:
            self._on_dropped("not on dashboards")

    def record_interactions(self, events: Sequence[Event]) -> None:
        """Queues those acknowledged events that follow a shown item. Never waits."""
        due_s = time.monotonic() + INTERACTION_WAIT_S
        for event in events:
            if find_impression_id(event) is not None:
                try:
                    self._interactions.put_nowait((due_s, event))
                except queue.Full:
                    self._on_dropped("action not recorded")

    def begin_close(self) -> None:
        """Begins the last write, and does not wait for it."""
        self._task.stop()

    def close(self, wait_s: float = CLOSE_S) -> None:
        """Writes everything that waits, then ends. What takes longer than wait_s is logged and counted."""
        if not self._task.stop(wait_s):
            waiting = self._pages.qsize() + self._interactions.qsize() + len(self._pending_interactions)
            log.error("not recorded for dashboards", reason=CLOSED_EARLY, at_least=max(waiting, 1))
            for _ in range(max(waiting, 1)):
                self._on_dropped("not on dashboards")

    def _write(self, is_last: bool) -> None:
        """Interactions that are not due yet wait for the next write, unless this is the last."""
        if pages := drain_queue(self._pages):
            self._write_logged("not on dashboards", self._write_pages, pages)
        waiting = self._pending_interactions + drain_queue(self._interactions)
        due = [event for due_s, event in waiting if is_last or due_s <= time.monotonic()]
        self._pending_interactions = waiting[len(due) :]
        if due:
            self._write_logged("action not recorded", self._write_interactions, due)

    def _write_logged(self, reason: str, write: Callable[[Sequence[T]], None], records: Sequence[T]) -> None:
        """Logs and counts what is not recorded; nothing is written again to a cluster that is away."""
        try:
            rejected = write_isolated(write, records)
        except TRANSIENT_FAILURES as error:
            log.warning("not recorded for dashboards", reason=explain(error), what=reason, many=len(records))
            lost = len(records)
        else:
            lost = len(rejected)
            if rejected:
                why = repr(rejected[0][1])[:300]
                log.error("not recorded for dashboards", reason=why, what=reason, many=lost)
        for _ in range(lost):
            self._on_dropped(reason)

    def _write_pages(self, pages: Sequence[tuple[ResultList, Page]]) -> None:
        self._streams.summaries.append([build_summary(ranked, page) for ranked, page in pages])
        lines = [line for ranked, page in pages for line in build_impressions(ranked, page)]
        self._append_lines(lines)

    def _append_lines(self, lines: Sequence[Impression]) -> None:
        if lines:
            self._streams.impressions.append(
                [replace(line, user=self._identify(line.user)) for line in lines]
            )

    def _write_interactions(self, interactions: Sequence[Event]) -> None:
        """Skips interactions whose impression was not recorded."""
        by_impression = [
            (impression_id, event)
            for event in interactions
            if (impression_id := find_impression_id(event)) is not None
        ]
        known = self._streams.impressions.find([impression_id for impression_id, _ in by_impression])
        lines = [known[key].with_interaction(event) for key, event in by_impression if key in known]
        self._append_lines(lines)
