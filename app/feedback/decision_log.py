"""The decision log: what was shown and out of which candidates, written in a thread after the answer.

Every shown item becomes an impression event. For a share of requests the whole candidate group, with its
signals, goes into Parquet, a folder a day; never a part of a group.
"""

import os
import queue
import secrets
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import structlog

from reelrank.app.background import BackgroundTask
from reelrank.app.feedback.background_writer import (
    CLOSE_S,
    FLUSH_S,
    PASSING_FAILURES,
    drain_queue,
    write_isolated,
)
from reelrank.app.feedback.dashboard_log import DashboardLog
from reelrank.app.feedback.impression_log import format_impression_id
from reelrank.app.search.page import Page
from reelrank.app.search.result_list import ResultList
from reelrank.index_mappings.event import Event
from reelrank.index_mappings.event_store import EventStore
from reelrank.ranking.durable import replace_file

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
    """sample_share: of the requests whose whole group is written. on_dropped: called with the reason for each
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
        """Never waits."""
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
        """Decided by the id of the request, so it is the same for every part of a list."""
        return zlib.crc32(request_id.encode()) < self._sample_share * 2**32

    def _write(self, is_last: bool) -> None:
        shown = drain_queue(self._queue)
        self._record_impressions([*self._unsent, *shown])
        self._record_groups(shown)
        if is_last or self._is_flush_due():
            self._flush_groups()
        if is_last:
            self._count_dropped(len(self._unsent), "the engine is away")
            self._count_dropped(len(self._groups), "the disk is away")

    def _record_impressions(self, pages: Sequence[LoggedPage]) -> None:
        """While the engine is away, the newest MAX_QUEUED_PAGES wait for it."""
        waited, self._unsent = len(self._unsent), []
        try:
            self._report_rejected(write_isolated(self._append, pages))
        except PASSING_FAILURES as error:
            if not waited:
                log.warning("impressions wait for the engine", reason=str(error), pages=len(pages))
            self._unsent = list(pages[-MAX_QUEUED_PAGES:])
            self._count_dropped(len(pages) - len(self._unsent), "the engine is away")

    def _append(self, shown: Sequence[LoggedPage]) -> None:
        if impressions := [
            event for one in shown for event in build_impression_events(one.result_list, one.page)
        ]:
            self._events.append(impressions)

    def _record_groups(self, pages: Sequence[LoggedPage]) -> None:
        """Builds the groups of sampled requests; a list without candidates has no rows."""
        sampled = [
            one
            for one in pages
            if one.result_list.signals is not None
            and len(one.result_list.candidates)
            and self.is_sampled(one.page.request_id)
        ]
        self._report_rejected(write_isolated(self._add_groups, sampled))

    def _add_groups(self, shown: Sequence[LoggedPage]) -> None:
        self._groups += [build_group(one.result_list, one.page) for one in shown]

    def _is_flush_due(self) -> bool:
        return len(self._groups) >= REQUESTS_PER_GROUP_FILE or time.monotonic() - self._flushed_s > 60.0

    def _flush_groups(self) -> None:
        """Writes a file for each schema and day. While the disk is away, groups of at most two files wait."""
        self._flushed_s = time.monotonic()
        groups, self._groups = self._groups, []
        by_file: dict[tuple[pa.Schema, str], list[pa.RecordBatch]] = {}
        for group in groups:
            by_file.setdefault((group.schema, _format_day(group)), []).append(group)
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
            text=_replace_surrogates(query.text or ""),
            device=query.context.device,
            country=query.context.country,
            degraded=", ".join(page.missing_parts),
            surface=query.kind,
            model=page.model,
            propensity=hit.exploration_slot.propensity if hit.exploration_slot else None,
            came_from=hit.exploration_slot.ranked_position if hit.exploration_slot else None,
        )
        for hit in page.hits
    ]


def build_group(result_list: ResultList, page: Page) -> pa.RecordBatch:
    """Returns one row per candidate, in ranked order: columns of the request, the item, its score and its
    signals.

    degraded: the full texts of the page that was shown. propensity, came_from: of explored positions, null
    elsewhere.
    """
    query, n = result_list.query, len(result_list.candidates)
    shared = {
        "request_id": result_list.request_id, "at_ms": query.context.at_ms, "user": query.user or "",
        "kind": query.kind, "text": _replace_surrogates(query.text or ""), "model": result_list.model,
        "version": result_list.version, "config_id": result_list.config_id,
        "degraded": ", ".join(map(str, page.degraded)),
    }  # fmt: skip
    columns = {name: pa.repeat(pa.scalar(value), n) for name, value in shared.items()}
    columns["item"] = pa.array([name.decode() for name in result_list.candidates.ids.tolist()], pa.string())
    columns["position"] = pa.array(np.arange(n, dtype=np.int32))
    columns["score"] = pa.array(result_list.scores)
    columns |= _build_exploration_columns(result_list)
    signals = result_list.signals.columns if result_list.signals is not None else {}
    columns |= {f"signal_{name}": pa.array(column) for name, column in signals.items()}
    return pa.RecordBatch.from_pydict(columns)


def _replace_surrogates(text: str) -> str:
    """Returns the text with ? for lone surrogates, which JSON can contain and UTF-8 cannot."""
    return text.encode(errors="replace").decode()


def _build_exploration_columns(result_list: ResultList) -> dict[str, pa.Array]:
    """Returns propensity and ranked position of explored candidates, null elsewhere."""
    n = len(result_list.candidates)
    propensity, came_from = np.zeros(n), np.zeros(n, np.int32)
    for slot in result_list.exploration_slots:
        propensity[slot.position], came_from[slot.position] = slot.propensity or 0.0, slot.ranked_position
    is_ranked = propensity == 0
    return {
        "propensity": pa.array(propensity, mask=is_ranked),
        "came_from": pa.array(came_from, mask=is_ranked),
    }


def write_groups(directory: Path, groups: Sequence[pa.RecordBatch]) -> Path:
    """Writes one file, whole or not at all, in the folder of the day when the first group was shown."""
    name = f"{os.getpid()}-{secrets.token_hex(8)}"
    path = directory / f"date={_format_day(groups[0])}" / f"{name}.parquet"
    with replace_file(path) as temporary:
        pq.write_table(pa.Table.from_batches(groups).combine_chunks(), temporary, compression="zstd")
    return path


def _format_day(group: pa.RecordBatch) -> str:
    """Returns the day (UTC) of a request."""
    return f"{datetime.fromtimestamp(group['at_ms'][0].as_py() / 1000, UTC):%Y-%m-%d}"
