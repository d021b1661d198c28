"""Events that viewers send: taken in, or refused in time, so that they never keep the threads of lists."""

import threading
import time
from collections.abc import Sequence

from index_mappings.engine import AppendReport, EventStore
from index_mappings.errors import PASSING, EngineError, Unavailable
from index_mappings.event import Event

TAKE_IN_S = 2.0
"""When all is well an event is acknowledged within REELRANK_EVENTS_REFRESH_MS and the time of a write."""
LOOK_EVERY_S, LOOK_S = 0.5, 1.0


class Intake:
    """While the store does not answer, events are refused at once. When it does, one request tries first."""

    def __init__(self, events: EventStore) -> None:
        self._events = events
        self._trouble: EngineError | None = None
        self._one_may_try = False
        self._is_watched = False
        self._lock = threading.Lock()

    def append(self, events: Sequence[Event]) -> AppendReport:
        """Durable when it returns. Raises EngineError: sent again, each event still counts once."""
        if not self._may_try():
            raise Unavailable(f"events cannot be taken in now ({self._trouble}); send them again")
        try:
            report = self._events.append(events, TAKE_IN_S)
        except PASSING as error:
            self._refuse(error)
            raise
        self._trouble = None
        return report

    def _may_try(self) -> bool:
        with self._lock:
            may, self._one_may_try = self._trouble is None or self._one_may_try, False
            return may

    def _refuse(self, trouble: EngineError) -> None:
        with self._lock:
            self._trouble = trouble
            if not self._is_watched:
                self._is_watched = True
                threading.Thread(target=self._watch, name="intake", daemon=True).start()

    def _watch(self) -> None:
        time.sleep(LOOK_EVERY_S)
        while not self._answers():
            time.sleep(LOOK_EVERY_S)
        with self._lock:
            self._one_may_try, self._is_watched = True, False

    def _answers(self) -> bool:
        try:
            self._events.recent("", 1, LOOK_S)
        except PASSING:
            return False
        except EngineError:  # an answer all the same: whoever tries is told what it means
            return True
        return True
