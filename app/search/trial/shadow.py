"""The shadow: requests that were answered are ranked again by a release on trial, off the request path.

A bounded queue and one thread with low priority: what does not fit is dropped, so serving never waits. Each
request leaves one line in <directory>/<release>/<process>.jsonl, which the loop reads.
"""

import os
import queue
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import orjson
import structlog

from reelrank.app.background import BackgroundTask
from reelrank.app.search.page import Page, RankingOptions
from reelrank.app.search.ports import NoRecorder, Recorder
from reelrank.app.search.result_list import ResultList
from reelrank.app.search.service import SearchService
from reelrank.app.search.stage_timings import StageTimings
from reelrank.app.state.snapshot import State
from reelrank.index_mappings.event import Event
from reelrank.ranking.experiments.assignment import draw_share
from reelrank.ranking.retrieval.source_names import SOURCES

log = structlog.get_logger("reelrank.trial")

MAX_QUEUED = 50
"""Requests that may wait. They hold their candidates, about 100 kB each."""
FLUSH_S = 1.0
LOW_PRIORITY = 15
"""Niceness of the threads of the shadow, on Linux: serving goes first."""
COMPARED = 10
"""First results that are compared."""
SHADOW_FOLDER = "shadow"


@dataclass(frozen=True, slots=True)
class ShadowResult:
    """One request. overlap: share of the first results that both have. took_ms, serving_ms: ranking by the
    release on trial and by the serving one, both by the thread of the shadow. mean, deviation: of the scores;
    None when the release failed, with its error."""

    overlap: float = 0.0
    took_ms: float = 0.0
    serving_ms: float = 0.0
    mean: float | None = None
    deviation: float | None = None
    error: str = ""


class ShadowRecorder:
    """Passes everything on to a recorder, and offers a share of the answered requests to the shadow."""

    def __init__(
        self, service: SearchService, recorder: Recorder, share: float, directory: Path, niceness: int
    ) -> None:
        self._recorder = recorder
        self._service = service
        self._share = share
        self._directory = directory
        self._niceness = niceness
        self._queue: queue.Queue[ResultList] = queue.Queue(MAX_QUEUED)
        self._task = BackgroundTask("shadow", self._rank_waiting, FLUSH_S)

    def start(self) -> None:
        self._recorder.start()
        self._task.start()

    def close(self) -> None:
        self._task.stop()
        self._recorder.close()

    def is_sampled(self, request_id: str) -> bool:
        return self._recorder.is_sampled(request_id)

    def record_interactions(self, events: Sequence[Event]) -> None:
        self._recorder.record_interactions(events)

    def record(self, result_list: ResultList, page: Page) -> None:
        """Records a page; never waits for the shadow, and drops its request when the queue is full."""
        self._recorder.record(result_list, page)
        if self._service.refresher.trial.shadow_state is None or result_list.is_cached:
            return
        if not page.timings or draw_share(SHADOW_FOLDER, result_list.request_id) >= self._share:
            return
        with suppress(queue.Full):
            self._queue.put_nowait(result_list)

    def _rank_waiting(self) -> None:
        """Ranks what waits. Runs in the thread of the shadow."""
        _set_priority(self._niceness)
        results = list[ShadowResult]()
        state = self._service.refresher.trial.shadow_state
        while not self._queue.empty():
            result_list = self._queue.get_nowait()
            if state is not None:
                results.append(rank_in_shadow(self._service, state, result_list))
        if results and state is not None:
            write_results(self._directory / state.release / f"{os.getpid()}.jsonl", results)


RANKING_STAGES = ("viewer", "sources", "fuse", "signals", "features", "score", "explore")
"""Stages of `rank_query`: what both releases do."""


def attach_shadow(
    service: SearchService, share: float, directory: Path, niceness: int = LOW_PRIORITY
) -> SearchService:
    """Returns the service with a shadow, which has threads of its own and counts no failure as served."""
    begin = partial(_set_priority, niceness)
    pool = ThreadPoolExecutor(len(SOURCES), thread_name_prefix="shadow", initializer=begin)
    quiet = replace(service, recorder=NoRecorder(), on_failure=_ignore_failure)
    apart = replace(quiet, pool=pool, viewer_pool=pool)
    recorder = ShadowRecorder(apart, service.recorder, share, directory / SHADOW_FOLDER, niceness)
    return replace(service, recorder=recorder)


def rank_in_shadow(service: SearchService, state: State, served: ResultList) -> ShadowResult:
    """Ranks a request that was answered by both releases, in either order, and compares them.

    The serving one ranks again, because a thread of low priority on a busy machine takes longer for the same.
    """
    serving, both = service.refresher.state, dict[State, tuple[ResultList, float]]()
    is_first = draw_share("order of the shadow", served.request_id) < 0.5
    for each in (serving, state) if is_first else (state, serving):
        try:
            both[each] = _rank_timed(service, each, served)
        except Exception as error:  # a failure of the release is what the shadow is there to find
            if each is state:
                return ShadowResult(error=repr(error)[:200])
    ranked, took_ms = both[state]
    serving_ms = both[serving][1] if serving in both else took_ms
    first, second = (set(part.candidates.ids[:COMPARED].tolist()) for part in (served, ranked))
    overlap = len(first & second) / max(len(first | second), 1) if first or second else 1.0
    if not len(ranked.scores):
        return ShadowResult(overlap, took_ms, serving_ms)
    return ShadowResult(overlap, took_ms, serving_ms, float(ranked.scores.mean()), float(ranked.scores.std()))


def _rank_timed(service: SearchService, state: State, served: ResultList) -> tuple[ResultList, float]:
    """Returns what a release ranks, and the milliseconds of the stages of ranking."""
    timings = StageTimings()
    ranked = service.rank_query(RankingOptions(served.query), timings, state)
    return ranked, 1000 * sum(timings.seconds.get(stage, 0.0) for stage in RANKING_STAGES)


def write_results(path: Path, results: Sequence[ShadowResult]) -> None:
    """Appends one line for each result; a full disk loses them, with a line in the log."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(b"".join(orjson.dumps(result) + b"\n" for result in results))
    except OSError as error:
        log.warning("what the shadow found is not written", reason=str(error))


def read_results(directory: Path, release: str) -> list[ShadowResult]:
    """Returns what all processes found of a release; a line that a kill cut is left out."""
    results = list[ShadowResult]()
    for path in sorted((directory / SHADOW_FOLDER / release).glob("*.jsonl")):
        for line in path.read_bytes().splitlines():
            with suppress(orjson.JSONDecodeError, TypeError):
                results.append(ShadowResult(**orjson.loads(line)))
    return results


def _set_priority(niceness: int) -> None:
    with suppress(AttributeError, OSError):  # a thread has a priority of its own on Linux only
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), niceness)


def _ignore_failure(_source: str, _error: Exception) -> None:
    """Ignores failures of the shadow: they are in its results."""
