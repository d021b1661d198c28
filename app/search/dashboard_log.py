"""What dashboards read, written after the answer by a thread of its own: a line for each page, each shown
item and each deed that follows one. Without them only a dashboard lacks something.
"""

import queue
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import structlog

from app.search.impressions import Impressions, lines_of, shown_as
from app.search.page import Page
from app.search.ranked import Ranked
from app.search.summary import Summaries, summary_of
from app.search.writer_thread import PASSING_FAILURES, WriterThread, gathered, write_isolated
from index_mappings.event import Event

MAX_PAGES, MAX_DEEDS = 1000, 10_000
"""That may wait to be written; more are dropped and counted."""
DEED_WAIT_S = 5.0
"""A deed waits so long for its impression, which another worker may still be writing."""

T = TypeVar("T")
log = structlog.get_logger("reelrank.dashboard_log")


@dataclass(frozen=True, slots=True)
class Dashboards:
    """The data streams that dashboards read."""

    summaries: Summaries
    impressions: Impressions


class DashboardLog:
    """dropped: called with a reason for each page or deed that is not recorded."""

    def __init__(self, to: Dashboards, dropped: Callable[[str], None]) -> None:
        self._to = to
        self._dropped = dropped
        self._pages: queue.Queue[tuple[Ranked, Page]] = queue.Queue(MAX_PAGES)
        self._deeds: queue.Queue[tuple[float, Event]] = queue.Queue(MAX_DEEDS)
        self._early: list[tuple[float, Event]] = []
        self._thread = WriterThread("dashboard-log", self._write)

    def start(self) -> None:
        """Begins writing, in a thread of this process."""
        self._thread.start()

    def page(self, ranked: Ranked, page: Page) -> None:
        """Never waits."""
        try:
            self._pages.put_nowait((ranked, page))
        except queue.Full:
            self._dropped("not on dashboards")

    def deeds(self, events: Sequence[Event]) -> None:
        """Of events that were acknowledged, those that follow a shown item. Never waits."""
        due_s = time.monotonic() + DEED_WAIT_S
        for event in events:
            if shown_as(event) is not None:
                try:
                    self._deeds.put_nowait((due_s, event))
                except queue.Full:
                    self._dropped("no deed")

    def close(self) -> None:
        """Writes what waits, then ends."""
        self._thread.close()

    def _write(self, ended: bool) -> None:
        """Deeds that are not due yet wait for another turn, unless this is the last."""
        if pages := gathered(self._pages):
            self._keep("not on dashboards", self._write_pages, pages)
        waiting = self._early + gathered(self._deeds)
        due = [deed for due_s, deed in waiting if ended or due_s <= time.monotonic()]
        self._early = waiting[len(due) :]
        if due:
            self._keep("no deed", self._write_deeds, due)

    def _keep(self, reason: str, write: Callable[[Sequence[T]], None], records: Sequence[T]) -> None:
        """Logs and counts what is not recorded; nobody waits for a place that is away."""
        try:
            refused = write_isolated(write, records)
        except PASSING_FAILURES as error:
            log.warning("not recorded for dashboards", reason=str(error), what=reason, many=len(records))
            lost = len(records)
        else:
            lost = len(refused)
            if refused:
                why = repr(refused[0][1])[:300]
                log.error("not recorded for dashboards", reason=why, what=reason, many=lost)
        for _ in range(lost):
            self._dropped(reason)

    def _write_pages(self, pages: Sequence[tuple[Ranked, Page]]) -> None:
        self._to.summaries.append([summary_of(ranked, page) for ranked, page in pages])
        lines = [line for ranked, page in pages for line in lines_of(ranked, page)]
        if lines:
            self._to.impressions.append(lines)

    def _write_deeds(self, deeds: Sequence[Event]) -> None:
        """A deed whose impression is not there, of a page that nobody recorded, is no line."""
        by_impression = [(name, deed) for deed in deeds if (name := shown_as(deed)) is not None]
        known = self._to.impressions.find([name for name, _ in by_impression])
        lines = [known[name].followed_by(deed) for name, deed in by_impression if name in known]
        if lines:
            self._to.impressions.append(lines)
