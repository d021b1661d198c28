"""What was shown and from what, written after the answer and off its path.

Every shown item becomes an impression event. Of a share of requests the whole candidate group with its
signals goes into Parquet, a folder a day; never part of a group.
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

from app.search.dashboard_log import DashboardLog
from app.search.impressions import impression_id
from app.search.page import Page
from app.search.ranked import Ranked
from app.search.writer_thread import PASSING_FAILURES, WriterThread, gathered, write_isolated
from index_mappings.engine import EventStore
from index_mappings.event import Event

MAX_WAITING = 1000
"""Pages that may wait to be written; more are dropped and counted, so that a slow disk slows nobody."""
GROUP_FILE_REQUESTS = 200

log = structlog.get_logger("reelrank.page_log")


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """One part of a ranked list, as it was answered."""

    ranked: Ranked
    page: Page


class PageLog:
    """share: of the requests whose whole group is kept. dropped: called for each page not recorded.

    dashboards: what writes for them, if there are any.
    """

    def __init__(
        self,
        directory: Path,
        events: EventStore,
        share: float,
        dropped: Callable[[str], None],
        dashboards: DashboardLog | None = None,
    ) -> None:
        self._directory = directory
        self._events = events
        self._share = share
        self._dropped = dropped
        self._dashboards = dashboards
        self._waiting: queue.Queue[Shown] = queue.Queue(MAX_WAITING)
        self._owed: list[Shown] = []
        self._groups: list[pa.RecordBatch] = []
        self._written_s = time.monotonic()
        self._thread = WriterThread("page-log", self._write)

    def start(self) -> None:
        """Begins writing, in a thread of this process."""
        self._thread.start()
        if self._dashboards is not None:
            self._dashboards.start()

    def record(self, ranked: Ranked, page: Page) -> None:
        """Never waits."""
        if self._dashboards is not None:
            self._dashboards.page(ranked, page)
        try:
            self._waiting.put_nowait(Shown(ranked, page))
        except queue.Full:
            self._dropped("the queue is full")

    def deeds(self, events: Sequence[Event]) -> None:
        """Events that were acknowledged: what followed of a page. Never waits."""
        if self._dashboards is not None:
            self._dashboards.deeds(events)

    def close(self) -> None:
        """Writes what waits, then ends."""
        self._thread.close()
        if self._dashboards is not None:
            self._dashboards.close()

    def is_sampled(self, request_id: str) -> bool:
        """By the request's id, so that every part of a list is or is not."""
        return zlib.crc32(request_id.encode()) < self._share * 2**32

    def _write(self, ended: bool) -> None:
        shown = gathered(self._waiting)
        self._record_impressions([*self._owed, *shown])
        self._record_groups(shown)
        if ended or self._groups_are_due():
            self._flush_groups()
        if ended:
            self._forget(len(self._owed), "the engine is away")
            self._forget(len(self._groups), "the disk is away")

    def _record_impressions(self, shown: Sequence[Shown]) -> None:
        """Pages wait for an engine that is away until it is back, the newest MAX_WAITING."""
        waited, self._owed = len(self._owed), []
        try:
            self._tell_refused(write_isolated(self._append, shown))
        except PASSING_FAILURES as error:
            if not waited:
                log.warning("impressions wait for the engine", reason=str(error), pages=len(shown))
            self._owed = list(shown[-MAX_WAITING:])
            self._forget(len(shown) - len(self._owed), "the engine is away")

    def _append(self, shown: Sequence[Shown]) -> None:
        if impressions := [event for one in shown for event in impressions_of(one.ranked, one.page)]:
            self._events.append(impressions)

    def _record_groups(self, shown: Sequence[Shown]) -> None:
        """A list without candidates has no rows to keep."""
        sampled = [
            one
            for one in shown
            if one.ranked.signals is not None
            and len(one.ranked.candidates)
            and self.is_sampled(one.page.request_id)
        ]
        self._tell_refused(write_isolated(self._add_groups, sampled))

    def _add_groups(self, shown: Sequence[Shown]) -> None:
        self._groups += [group_of(one.ranked, one.page) for one in shown]

    def _groups_are_due(self) -> bool:
        return len(self._groups) >= GROUP_FILE_REQUESTS or time.monotonic() - self._written_s > 60.0

    def _flush_groups(self) -> None:
        """Writes a file for each schema. Groups wait for a disk that is away, at most two files of them."""
        self._written_s = time.monotonic()
        groups, self._groups = self._groups, []
        by_schema: dict[pa.Schema, list[pa.RecordBatch]] = {}
        for group in groups:
            by_schema.setdefault(group.schema, []).append(group)
        for alike in by_schema.values():
            try:
                self._tell_refused(write_isolated(self._write_file, alike))
            except PASSING_FAILURES as error:
                log.warning("groups wait for the disk", reason=str(error), groups=len(alike))
                self._groups += alike
        self._forget(len(self._groups) - 2 * GROUP_FILE_REQUESTS, "the disk is away")
        self._groups = self._groups[-2 * GROUP_FILE_REQUESTS :]

    def _write_file(self, groups: Sequence[pa.RecordBatch]) -> None:
        write_groups(self._directory, groups, datetime.now(UTC))

    def _tell_refused(self, refused: Sequence[tuple[Shown | pa.RecordBatch, Exception]]) -> None:
        """Counts records that cannot be written, and logs the first reason."""
        if refused:
            log.error("pages not recorded", pages=len(refused), reason=repr(refused[0][1])[:300])
        for _, error in refused:
            self._dropped(type(error).__name__)

    def _forget(self, pages: int, reason: str) -> None:
        for _ in range(pages):
            self._dropped(reason)


def impressions_of(ranked: Ranked, page: Page) -> list[Event]:
    query = ranked.query
    return [
        Event(
            id=impression_id(page.request_id, hit.position),
            kind="impression",
            user=query.user or "",
            at_ms=query.context.at_ms,
            item=hit.item.id,
            request_id=page.request_id,
            position=hit.position,
            text=_storable(query.text or ""),
            device=query.context.device,
            country=query.context.country,
            degraded=", ".join(page.lacks),
            propensity=hit.draw.propensity if hit.draw else None,
            came_from=hit.draw.came_from if hit.draw else None,
        )
        for hit in page.hits
    ]


def group_of(ranked: Ranked, page: Page) -> pa.RecordBatch:
    """A row a candidate, in ranked order: the request's facts, the item, its score and its signals.

    degraded: in full, of the page that was shown of it. propensity, came_from: of the places that
    exploration drew, null elsewhere.
    """
    query, n = ranked.query, len(ranked.candidates)
    facts = {
        "request_id": ranked.request_id, "at_ms": query.context.at_ms, "user": query.user or "",
        "kind": query.kind, "text": _storable(query.text or ""), "model": ranked.model,
        "version": ranked.version, "degraded": ", ".join(page.degraded),
    }  # fmt: skip
    columns = {name: pa.repeat(pa.scalar(value), n) for name, value in facts.items()}
    columns["item"] = pa.array([name.decode() for name in ranked.candidates.ids.tolist()], pa.string())
    columns["position"] = pa.array(np.arange(n, dtype=np.int32))
    columns["score"] = pa.array(ranked.scores)
    columns |= _draws_of(ranked)
    signals = ranked.signals.columns if ranked.signals is not None else {}
    columns |= {f"signal_{name}": pa.array(column) for name, column in signals.items()}
    return pa.RecordBatch.from_pydict(columns)


def _storable(text: str) -> str:
    """The text with ? for lone surrogates, which JSON can bring and UTF-8 cannot hold."""
    return text.encode(errors="replace").decode()


def _draws_of(ranked: Ranked) -> dict[str, pa.Array]:
    """A column each of what is known of draws, by place."""
    n = len(ranked.candidates)
    propensity, came_from = np.zeros(n), np.zeros(n, np.int32)
    for draw in ranked.draws:
        propensity[draw.place], came_from[draw.place] = draw.propensity, draw.came_from
    undrawn = propensity == 0
    return {
        "propensity": pa.array(propensity, mask=undrawn),
        "came_from": pa.array(came_from, mask=undrawn),
    }


def write_groups(directory: Path, groups: Sequence[pa.RecordBatch], now: datetime) -> Path:
    """One file, seen whole or not at all."""
    day = directory / f"date={now:%Y-%m-%d}"
    day.mkdir(parents=True, exist_ok=True)
    name = f"{now:%H%M%S}-{os.getpid()}-{secrets.token_hex(4)}"
    new = day / f".{name}.parquet"
    done = day / f"{name}.parquet"
    try:
        pq.write_table(pa.Table.from_batches(groups).combine_chunks(), new, compression="zstd")
        new.rename(done)
    finally:
        new.unlink(missing_ok=True)
    return done
