"""Events that viewers send: taken in, or refused in time, so that they never keep the threads of lists."""

import threading
from collections.abc import Sequence

from index_mappings.engine import AppendReport, EventStore
from index_mappings.errors import PASSING, EngineError, Unavailable
from index_mappings.event import Event

TAKE_IN_S = 2.0
"""When all is well an event is acknowledged within REELRANK_EVENTS_REFRESH_MS and the time of a write."""


class Intake:
    """While the store does not answer, one request at a time tries; the others are told so at once."""

    def __init__(self, events: EventStore) -> None:
        self._events = events
        self._trouble: EngineError | None = None
        self._trying = threading.Lock()

    def append(self, events: Sequence[Event]) -> AppendReport:
        """Durable when it returns. Raises EngineError: sent again, each event still counts once."""
        if self._trouble is None:
            return self._appended(events)
        if not self._trying.acquire(blocking=False):
            raise Unavailable(f"events cannot be taken in now ({self._trouble}); send them again")
        try:
            return self._appended(events)
        finally:
            self._trying.release()

    def _appended(self, events: Sequence[Event]) -> AppendReport:
        try:
            report = self._events.append(events, TAKE_IN_S)
        except PASSING as error:
            self._trouble = error
            raise
        self._trouble = None
        return report
