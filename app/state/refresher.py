"""What changes while a worker serves: index version, model and popularity, followed in the background."""

import threading
from collections.abc import Callable
from dataclasses import replace

import structlog

from reelrank.app.background import BackgroundTask
from reelrank.app.state.activity_counters import ActivityCounters
from reelrank.app.state.model_cache import Models
from reelrank.app.state.snapshot import State
from reelrank.index_mappings.degradation import Degradation
from reelrank.index_mappings.engine import SearchEngine
from reelrank.index_mappings.errors import EngineError, Unavailable
from reelrank.index_mappings.event_store import EventStore
from reelrank.ranking.items.recency import find_newest
from reelrank.ranking.items.table import ItemTable, TableError

log = structlog.get_logger("reelrank.live")


class StateRefresher:
    """`state` is what the next request is answered from; `refresh` brings it up to date.

    table_of: index version to its item table; raises TableError.
    """

    def __init__(
        self,
        engine: SearchEngine,
        events: EventStore,
        models: Models,
        open_table: Callable[[str], ItemTable],
    ) -> None:
        self.models = models
        self._engine = engine
        self._events = events
        self._open_table = open_table
        self._state: State | None = None
        self._last_good_state: State | None = None
        self._task: BackgroundTask | None = None
        self._problem = "nothing was looked at yet; ask again in a second"
        self._refresh_lock = threading.Lock()

    @property
    def state(self) -> State:
        """Raises Unavailable, with what to do, as long as there is nothing to answer from."""
        if self._state is None:
            raise Unavailable(self._problem)
        return self._state

    @property
    def is_ready(self) -> bool:
        return self._state is not None

    def refresh(self) -> None:
        """Looks once at what serves; what cannot be had leaves the old state serving, and says so."""
        with self._refresh_lock:
            try:
                self._state = self._last_good_state = self._load_state(self._last_good_state)
            except (EngineError, TableError) as error:
                if self._last_good_state is not None and str(error) != self._problem:
                    log.warning("not refreshed, the old state serves", reason=str(error))
                self._problem = str(error)
                if self._last_good_state is not None:
                    stale = Degradation("index", "stale", self._problem)
                    degraded = (*self._last_good_state.degraded, stale)
                    self._state = replace(self._last_good_state, degraded=degraded)

    def poll(self, interval_s: float, warm_up: Callable[[], None], startup_wait_s: float) -> None:
        """Call `warm_up`, then `refresh` every `interval_s` seconds, in a thread, until `stop`.

        Waits for `warm_up`, but no longer than startup_wait_s: gunicorn would end and restart a worker that
        does not begin, for ever, where one that has begun answers 503 until it is ready.
        """
        self._task = BackgroundTask("state", self.refresh, interval_s)
        self._task.start(warm_up, startup_wait_s)

    def stop(self) -> None:
        if self._task is not None:
            self._task.stop()

    def _load_state(self, previous: State | None) -> State:
        version = self._engine.serving_version()
        if version is None:
            raise Unavailable("no index version serves; run: reelrank demo, or reelrank load items FILE")
        if not self._engine.is_ready():  # it also makes the engine look for changes, off the request path
            raise Unavailable(f"index version {version} does not answer; see the engine's log")
        ranker, degraded = self.models.current()
        if previous is None or previous.version != version:
            table = self._open_table(version)
            find_newest(table, 1, lambda rows: rows >= 0)  # sorted here once, not by the first who asks
            crowd = ActivityCounters(table)
            log.info("index version serves", version=version, items=len(table))
        else:
            table, crowd = previous.table, previous.activity
        crowd.poll(self._events)
        if previous is None or previous.ranker.name != ranker.name:
            log.info("model serves", model=ranker.name)
        return State(version, table, crowd, ranker, degraded)
