"""What changes while a worker serves: index version, model and popularity, polled in the background."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import structlog

from reelrank.app.background import BackgroundTask
from reelrank.app.state.activity_counters import ActivityCounters, SnapshotUnusable
from reelrank.app.state.engine_watch import EngineRecovery, WriteBlockWatch
from reelrank.app.state.live_items import LiveItems, warm_table
from reelrank.app.state.release_states import StateSources, choose_embeddings, load_release_state
from reelrank.app.state.snapshot import State
from reelrank.app.state.trials import Trial, TrialStates
from reelrank.index_mappings.errors import (
    CodedError,
    Degradation,
    EngineError,
    Timeout,
    Unavailable,
    describe_failure,
    explain,
)
from reelrank.ranking.items.table import ItemTable, TableError
from reelrank.ranking.rankers.lambdarank import FusedOrder, Ranker, explain_embeddings_mismatch
from reelrank.ranking.rankers.manifest import ModelRejected
from reelrank.ranking.registry.releases import Pointer, Release

log = structlog.get_logger("reelrank.live")

NOT_LOADED = Unavailable("nothing has been loaded yet; try again in a second", code="starting")
SETTLE_AFTER_S = 30.0
"""If the engine lags behind the pointer for this long, the promotion was stopped; a running one is faster."""


def ignore_state(state: State) -> None:
    """Tries nothing: a command that answers one request need not answer it twice."""


class StateRefresher:
    """`state` is what the next request is answered from; `refresh` brings it up to date."""

    def __init__(self, sources: StateSources) -> None:
        self.models = sources.models
        self.sources = sources
        self._state: State | None = None
        self._last_good_state: State | None = None
        self._task: BackgroundTask | None = None
        self._problem: CodedError = NOT_LOADED
        self._refresh_lock = threading.Lock()
        self._settle_at = 0.0
        self._try_first: Callable[[State], object] = ignore_state
        self.recovery = EngineRecovery()
        self._live_items = LiveItems("", 0)
        self._trials = TrialStates(self._load_trial, sources.list_running)
        self._write_blocks = WriteBlockWatch(sources.engine, sources.end_block)

    @property
    def state(self) -> State:
        """Raises Unavailable, with what to do, as long as there is nothing to answer from."""
        if self._state is None:
            code = self._problem.code if isinstance(self._problem, Unavailable) else ""
            raise Unavailable(str(self._problem), code)
        return self._state

    @property
    def trial(self) -> Trial:
        """Returns the releases on trial, and what they answer from."""
        return self._trials.current

    @property
    def is_ready(self) -> bool:
        return self._state is not None

    def choose_ranker(self, model: str | None, state: State) -> tuple[Ranker, tuple[Degradation, ...]]:
        """Returns the model of a request and what is missing: the fused order where it does not come in time.

        model: the one that the request names; None for the one that serves. Raises ModelNotFound, or
        ModelRejected if it does not fit the index version of `state`.
        """
        if model is None:
            return state.ranker, state.degraded
        try:
            ranker = self.models.get(model)
        except (Timeout, Unavailable) as error:
            return FusedOrder(), (describe_failure("ranking", error),)
        if problem := explain_embeddings_mismatch(ranker, state.embeddings):
            raise ModelRejected(
                model, problem, "choose another model: GET /v1/models", code="embeddings_mismatch"
            )
        return ranker, ()

    def try_first(self, rank: Callable[[State], object]) -> None:
        """Ranks by each state of a new version or release before requests are answered from it."""
        self._try_first = rank

    def refresh(self) -> None:
        """Reads once what serves; after a failure the old state serves on, and says so."""
        with self._refresh_lock:
            try:
                self._state = self._last_good_state = self._load_state(self._last_good_state)
            except (EngineError, TableError) as error:
                if self._last_good_state is not None and str(error) != str(self._problem):
                    log.warning("not refreshed, the old state serves", reason=explain(error))
                self._problem = error
                if self._last_good_state is not None:
                    stale = Degradation("index", "stale", str(error))
                    degraded = (*self._last_good_state.degraded, stale)
                    self._state = replace(self._last_good_state, degraded=degraded)

    def refresh_and_try(self, warm_up: Callable[[], bool]) -> None:
        """Refreshes; while an engine that was away has come back, searches until it answers in time."""
        self.refresh()
        self.recovery.follow(self._state is not self._last_good_state, warm_up)

    def poll(self, interval_s: float, warm_up: Callable[[], bool], startup_wait_s: float) -> None:
        """Calls `warm_up`, then refreshes every `interval_s` seconds, in a thread, until `stop`.

        Waits for `warm_up`, but no longer than startup_wait_s: gunicorn would end and restart a worker that
        does not begin, for ever, where one that has begun answers 503 until it is ready.
        """
        self._task = BackgroundTask("state", partial(self.refresh_and_try, warm_up), interval_s)
        self._task.start(warm_up, startup_wait_s)

    def stop(self) -> None:
        if self._task is not None:
            self._task.stop()

    def _load_state(self, previous: State | None) -> State:
        """Loads what serves.

        One read of the pointer decides: a version is ranked by the model of its release.
        """
        version, pointer = self.sources.engine.serving_version(), self._read_pointer(previous)
        if self._needs_settling(pointer, version):
            self._settle()
            version, pointer = self.sources.engine.serving_version(), self._read_pointer(previous)
        if version is None:
            raise Unavailable(
                "no index version serves; run: reelrank demo, or reelrank load items FILE",
                code="no_index_version",
            )
        if not self.sources.engine.is_ready():  # also lets the engine reload changes, off the request path
            raise Unavailable(
                f"index version {version} does not answer; see the engine's log", code="engine_unreachable"
            )
        self._write_blocks.check()
        self._trials.follow(pointer)
        release = None if pointer is None else pointer.find_release(version)
        release_id, config = ("", {}) if release is None else (release.id, release.config)
        table, activity = self._open_version(previous, version)
        table = self._append_live_items(table, activity)
        if not activity.has_begun:
            activity = self._restore_counters(previous, table)
        embeddings = choose_embeddings(release, table)
        ranker, degraded = self._choose_ranker(release, embeddings)
        activity = activity.renew(self.sources.events)
        activity.poll(self.sources.events)
        self.sources.counters.save_if_due(activity)
        if previous is None or previous.ranker.name != ranker.name:
            log.info("model serves", model=ranker.name, release=release_id or None)
        matcher = self.sources.engine.at_version(version)
        state = State(version, table, activity, ranker, matcher, degraded, embeddings, release_id, config)
        if previous is None or (previous.version, previous.release) != (version, release_id):
            self._try_first(state)
        return state

    def _load_trial(self, release: Release, previous: State | None) -> State:
        state = load_release_state(self.sources, release, previous)
        if state is not previous:
            self._try_first(state)
        return state

    def _read_pointer(self, previous: State | None) -> Pointer | None:
        """Returns the pointer; None if it is unreadable at the start: fused order is better than nothing."""
        try:
            return self.sources.releases.read_pointer()
        except EngineError:
            if previous is not None:
                raise
            return None

    def _open_version(self, previous: State | None, version: str) -> tuple[ItemTable, ActivityCounters]:
        if previous is not None and previous.version == version:
            return previous.table, previous.activity
        table = self.sources.open_table(version)
        warm_table(table)
        log.info("index version serves", version=version, items=len(table))
        self._live_items = LiveItems(version, len(table))
        return table, ActivityCounters(table)

    def _restore_counters(self, previous: State | None, table: ItemTable) -> ActivityCounters:
        """Returns counters for a table: those of the version before or of a snapshot, if they fit it."""
        events = self.sources.events
        if previous is None or not previous.activity.counted:
            return self.sources.counters.open(table, events)
        try:
            return ActivityCounters.restore(previous.activity.capture(), table, events)
        except SnapshotUnusable as error:
            log.info("all events are counted for the new index version", reason=str(error))
            return ActivityCounters(table)

    def _append_live_items(self, table: ItemTable, activity: ActivityCounters) -> ItemTable:
        """Appends what was put since; the table of before serves on when it cannot be read."""
        try:
            joined = self._live_items.append_new(table, self.sources.engine)
        except EngineError as error:
            log.warning("live items are not read", reason=explain(error))
            self._live_items.read_again_at = time.monotonic() + SETTLE_AFTER_S
            return table
        if joined is not table:
            activity.grow(joined)
        return joined

    def _choose_ranker(
        self, release: Release | None, embeddings: str
    ) -> tuple[Ranker, tuple[Degradation, ...]]:
        """Returns the fused order in place of a model that was trained with other embeddings."""
        ranker, degraded = self.models.current(release)
        if problem := explain_embeddings_mismatch(ranker, embeddings):
            return FusedOrder(), (*degraded, Degradation("model", "embeddings_mismatch", problem))
        return ranker, degraded

    def _needs_settling(self, pointer: Pointer | None, version: str | None) -> bool:
        """Returns whether pointer and engine disagree, at the first refresh or for some time."""
        pointed = pointer.serving.index_version if pointer else ""
        agree = (pointed or None) == version
        now = time.monotonic()
        if agree:
            self._settle_at = now + SETTLE_AFTER_S
            return False
        return now >= self._settle_at

    def _settle(self) -> None:
        """Makes pointer and engine agree; not in a read-only data directory or while a promotion runs."""
        self._settle_at = time.monotonic() + SETTLE_AFTER_S
        try:
            self.sources.settle()
        except EngineError as error:
            log.warning("release pointer and engine disagree", reason=explain(error))
