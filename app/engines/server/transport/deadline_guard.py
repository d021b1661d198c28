"""Ends a connection whose answer is not whole in time.

A client library's timeout counts from byte to byte, so an answer that trickles outlives it, and keeps a
thread. Here a second thread shuts the connection down when the time of its question is over.
"""

import contextlib
import heapq
import itertools
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from reelrank.app.engines.server.transport.cluster import Transport
from reelrank.index_mappings.errors import Timeout


@dataclass(slots=True, eq=False)
class InFlightRequest:
    """One question under way. `connection`: the one that it was sent on, as far as it was sent."""

    deadline: float
    connection: Any = None
    is_done: bool = False
    expired: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def expire(self) -> None:
        """What reads from the connection sees its end; nothing, if it has another request by now."""
        with self.lock:
            if self.is_done:
                return
            self.expired = True
            if self.connection is not None and self.connection.in_flight is self:
                with contextlib.suppress(OSError, AttributeError):
                    self.connection.sock.shutdown(socket.SHUT_RDWR)


class DeadlineGuard:
    """A wire each of whose questions is over when its time is."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._numbers = itertools.count()
        self._waiting: list[tuple[float, int, InFlightRequest]] = []
        self._changed = threading.Condition()
        self._is_closed = False
        threading.Thread(target=self._expire_overdue, name="engine-watch", daemon=True).start()

    def send(
        self, method: str, path: str, body: bytes | None, mimetype: str, timeout_s: float
    ) -> tuple[int, Any]:
        with self._track(timeout_s) as request:
            try:
                answer = self._transport.send(method, path, body, mimetype, timeout_s)
            except Exception as failed:
                if not request.expired:
                    raise
                raise Timeout(f"the whole answer was not there within {timeout_s:.3f} s") from failed
            if request.expired:  # cut off among its headers, it may pass for an empty one
                raise Timeout(f"the whole answer was not there within {timeout_s:.3f} s")
            return answer

    def close(self) -> None:
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._transport.close()

    @contextmanager
    def _track(self, timeout_s: float) -> Iterator[InFlightRequest]:
        request = _current.in_flight = InFlightRequest(time.monotonic() + timeout_s)
        with self._changed:
            heapq.heappush(self._waiting, (request.deadline, next(self._numbers), request))
            if self._waiting[0][2] is request:
                self._changed.notify()
        try:
            yield request
        finally:
            _current.in_flight = None
            with request.lock:
                request.is_done = True

    def _expire_overdue(self) -> None:
        while (request := self._wait_for_expired()) is not None:
            request.expire()

    def _wait_for_expired(self) -> InFlightRequest | None:
        """Waits for the next request whose time is over; None at the close."""
        with self._changed:
            while not self._is_closed:
                left = self._waiting[0][0] - time.monotonic() if self._waiting else None
                if left is not None and left <= 0:
                    return heapq.heappop(self._waiting)[2]
                self._changed.wait(left)
        return None


class _Current(threading.local):
    in_flight: InFlightRequest | None = None


_current = _Current()


def guard_connections(connection_class: type[Any]) -> type[Any]:
    """A class of urllib3's connections that tells the request of its thread which connection it is."""

    class GuardedConnection(connection_class):  # type: ignore[misc]
        in_flight: InFlightRequest | None = None

        def request(self, *args: Any, **kwargs: Any) -> None:
            self.in_flight = _current.in_flight
            if self.in_flight is not None:
                self.in_flight.connection = self
            super().request(*args, **kwargs)

    return GuardedConnection
