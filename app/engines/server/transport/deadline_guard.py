"""Closes a connection whose response is not complete at its deadline.

A client library's timeout restarts with each byte, so a response that trickles in outlives it and occupies a
thread. Here a watcher thread shuts the connection down when the time of its request is over.
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
    """A request that waits for its response. connection: the one it was sent on; None before it is sent."""

    deadline: float
    connection: Any = None
    is_done: bool = False
    expired: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def expire(self) -> None:
        """Ends the read from the connection, unless the connection serves another request by now."""
        with self.lock:
            if self.is_done:
                return
            self.expired = True
            if self.connection is not None and self.connection.in_flight is self:
                with contextlib.suppress(OSError, AttributeError):
                    self.connection.sock.shutdown(socket.SHUT_RDWR)


class DeadlineGuard:
    """A transport that ends every request at its deadline."""

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
            except Exception as error:
                if not request.expired:
                    raise
                raise _build_timeout(timeout_s) from error
            if request.expired:  # a response that is cut within its headers looks like an empty one
                raise _build_timeout(timeout_s)
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
        """Waits for the next request whose deadline has passed; None once the guard is closed."""
        with self._changed:
            while not self._is_closed:
                remaining_s = self._waiting[0][0] - time.monotonic() if self._waiting else None
                if remaining_s is not None and remaining_s <= 0:
                    return heapq.heappop(self._waiting)[2]
                self._changed.wait(remaining_s)
        return None


class _Current(threading.local):
    in_flight: InFlightRequest | None = None


_current = _Current()


def guard_connections(connection_class: type[Any]) -> type[Any]:
    """Returns a subclass of a urllib3 connection that registers itself with the request of its thread."""

    class GuardedConnection(connection_class):  # type: ignore[misc]
        in_flight: InFlightRequest | None = None

        def request(self, *args: Any, **kwargs: Any) -> None:
            self.in_flight = _current.in_flight
            if self.in_flight is not None:
                self.in_flight.connection = self
            super().request(*args, **kwargs)

    GuardedConnection.__name__ = connection_class.__name__  # urllib3 states it in its error messages
    return GuardedConnection


def _build_timeout(timeout_s: float) -> Timeout:
    return Timeout(f"the search engine did not send its whole response within {timeout_s:.3f} s")
