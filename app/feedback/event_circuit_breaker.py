"""A circuit breaker for event writes, so that a store that is away does not occupy the threads of lists."""

import threading
from collections.abc import Sequence
from dataclasses import replace

from reelrank.app.background import BackgroundTask
from reelrank.app.clock import SYSTEM_CLOCK, Clock, to_ms
from reelrank.index_mappings.errors import TRANSIENT, EngineError, Unavailable
from reelrank.index_mappings.event import Event
from reelrank.index_mappings.event_store import AppendReport, EventStore

WRITE_TIMEOUT_S = 2.0
"""A healthy store acknowledges within REELRANK_EVENTS_REFRESH_MS and the time of a write."""
PROBE_INTERVAL_S, PROBE_TIMEOUT_S = 0.5, 1.0


class EventCircuitBreaker:
    """Rejects events at once while the store does not answer; lets one request try when it answers again."""

    def __init__(self, events: EventStore, clock: Clock = SYSTEM_CLOCK) -> None:
        self._events = events
        self._clock = clock
        self._last_error: EngineError | None = None
        self._is_half_open = False
        self._lock = threading.Lock()
        self._probe = BackgroundTask("event-probe", self._end_if_up, PROBE_INTERVAL_S)
        self._is_probing = False

    def append(self, events: Sequence[Event]) -> AppendReport:
        """Stamps received_ms and stores. Raises EngineError; an event sent again still counts once.

        An event of a client whose clock is ahead happened when it was received: it counts at once.
        """
        if not self._allow_request():
            raise Unavailable(
                f"events cannot be taken in now ({self._last_error}); send them again", code="events_paused"
            )
        received_ms = to_ms(self._clock.now())
        received = [
            replace(event, received_ms=received_ms, at_ms=min(event.at_ms, received_ms)) for event in events
        ]
        try:
            report = self._events.append(received, WRITE_TIMEOUT_S)
        except TRANSIENT as error:
            self._open_circuit(error)
            raise
        self._last_error = None
        return report

    def _allow_request(self) -> bool:
        with self._lock:
            may, self._is_half_open = self._last_error is None or self._is_half_open, False
            return may

    def _open_circuit(self, error: EngineError) -> None:
        with self._lock:
            self._last_error = error
            if not self._is_probing:
                self._is_probing = True
                self._probe.start()

    def _end_if_up(self) -> None:
        if self._is_store_up():
            with self._lock:
                self._is_half_open, self._is_probing = True, False
                self._probe.stop()

    def _is_store_up(self) -> bool:
        try:
            self._events.recent("", 1, PROBE_TIMEOUT_S)
        except TRANSIENT:
            return False
        except EngineError:  # the store answered: the next append reports the error to its caller
            return True
        return True
