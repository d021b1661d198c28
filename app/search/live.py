"""What changes while a worker serves: index version, model and popularity, followed in the background."""

import threading
from collections.abc import Callable
from dataclasses import replace

import structlog

from app.search.crowd import Crowd
from app.search.served_models import Models
from app.search.state import State
from index_mappings.engine import EventStore, SearchEngine
from index_mappings.errors import EngineError, Unavailable
from ranking.item_table import ItemTable, TableError
from ranking.newest import newest

log = structlog.get_logger("reelrank.live")


class Live:
    """`state` is what the next request is answered from; `refresh` brings it up to date.

    table_of: index version to its item table; raises TableError.
    """

    def __init__(
        self,
        engine: SearchEngine,
        events: EventStore,
        models: Models,
        table_of: Callable[[str], ItemTable],
    ) -> None:
        self.models = models
        self._engine = engine
        self._events = events
        self._table_of = table_of
        self._state: State | None = None
        self._good: State | None = None
        self._begun = threading.Event()
        self._problem = "nothing was looked at yet; ask again in a second"
        self._refreshing = threading.Lock()
        self._stopped = threading.Event()

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
        with self._refreshing:
            try:
                self._state = self._good = self._looked(self._good)
            except (EngineError, TableError) as error:
                if self._good is not None and str(error) != self._problem:
                    log.warning("not refreshed, the old state serves", reason=str(error))
                self._problem = str(error)
                if self._good is not None:
                    self._state = replace(
                        self._good, degraded=(*self._good.degraded, f"index: {self._problem}")
                    )

    def follow(self, every_s: float, first: Callable[[], None], wait_s: float) -> None:
        """Does `first` and then refreshes, in a thread of this process, until `stop`.

        Waits for `first`, but no longer than wait_s: a house that takes minutes to open answers 503
        meanwhile, where a worker that does not begin would be ended and begun again for ever.
        """
        threading.Thread(target=self._loop, args=(every_s, first), name="live", daemon=True).start()
        self._begun.wait(wait_s)

    def stop(self) -> None:
        self._stopped.set()

    def _loop(self, every_s: float, first: Callable[[], None]) -> None:
        self._done_or_told(first)
        self._begun.set()
        while not self._stopped.wait(every_s):
            self._done_or_told(self.refresh)

    def _done_or_told(self, task: Callable[[], None]) -> None:
        """A thread that died of a failure would leave this worker behind for ever."""
        try:
            task()
        except Exception:
            log.exception("refresh failed")

    def _looked(self, before: State | None) -> State:
        version = self._engine.serving_version()
        if version is None:
            raise Unavailable("no index version serves; run: reelrank demo, or reelrank load items FILE")
        if not self._engine.is_ready():  # it also makes the engine look for changes, off the request path
            raise Unavailable(f"index version {version} does not answer; see the engine's log")
        ranker, degraded = self.models.current()
        if before is None or before.version != version:
            table = self._table_of(version)
            newest(table, 1, lambda rows: rows >= 0)  # sorted here once, not by the first who asks
            crowd = Crowd(table)
            log.info("index version serves", version=version, items=len(table))
        else:
            table, crowd = before.table, before.crowd
        crowd.catch_up(self._events)
        if before is None or before.ranker.name != ranker.name:
            log.info("model serves", model=ranker.name)
        return State(version, table, crowd, ranker, degraded)
