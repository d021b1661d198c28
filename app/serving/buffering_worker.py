"""A thread worker of gunicorn that gives a request to a thread only when all of it is there.

gunicorn's own worker reads in its threads, so as many clients as it has threads stop it by sending nothing
more. Here the main loop reads, without blocking, until a deadline. An address has a limit of connections.
"""

import selectors
import socket
import time
from collections import Counter
from contextlib import suppress
from functools import partial
from typing import Any

from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, TConn, ThreadWorker

from reelrank.app.serving.incoming_request import HEADERS_DEADLINE_S, IncomingRequest, ReceivedBytes
from reelrank.app.serving.request_errors import encode_problem, encode_request_error
from reelrank.app.settings import Settings

RECEIVED_BYTES = 256 * 1024
BUFFERED_BYTES_MAX = 128 * 1024 * 1024
"""Of all requests that are arriving at one worker: sixteen of the largest bodies of the default settings."""
SMALL_REQUEST_BYTES = 128 * 1024
"""A request of this size is read also while the buffers are full."""
LINGER_S, MAX_LINGERING = 2.0, 512
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class CountedConnection(TConn):  # type: ignore[misc]  # gunicorn has no types
    """A connection that counts for its address until it closes. address: empty for a Unix socket."""

    def __init__(self, worker: "BufferingWorker", sock: Any, client: Any, server: Any) -> None:
        super().__init__(worker.cfg, sock, client, server)
        self.address = str(client[0]) if isinstance(client, tuple) else ""
        self._worker = worker
        self._is_counted = True
        self.service_s = 0.0
        self.rest = memoryview(b"")
        worker.connections[self.address] += 1

    def init(self) -> None:
        """Lets threads read what the main loop received, never the socket."""
        if not self.initialized:
            super().init()
            self.parser.unreader = ReceivedBytes()

    def close(self, graceful: bool = False) -> None:
        """Closes now; gracefully, after the client took the answer, for which gunicorn's loop would wait."""
        if graceful and self._worker.linger(self):
            return
        if self._is_counted:
            self._is_counted = False
            self._worker.forget(self.address)
        super().close()


class BufferingWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """A ThreadWorker whose threads never wait for a client that sends slowly."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.settings = Settings()
        self.max_body_bytes = self.settings.body_bytes_max
        self.max_per_address = self.settings.connections_per_address
        self.connections: Counter[str] = Counter()
        self.arriving: dict[CountedConnection, IncomingRequest] = {}
        self.lingering: dict[CountedConnection, float] = {}
        self.buffered_bytes = 0

    def accept(self, listener: Any) -> None:
        """Accepts a connection, unless its address has too many."""
        with suppress(BlockingIOError, ConnectionAbortedError):
            sock, address = listener.accept()
            self.nr_conns += 1
            connection = CountedConnection(self, sock, address, listener.getsockname())
            if connection.address and self.connections[connection.address] > self.max_per_address > 0:
                message = (
                    f"{connection.address} has {self.max_per_address} connections to this worker already"
                )
                self._refuse(connection, encode_problem("too_many_connections", message))
            else:
                self.enqueue_req(connection)

    def enqueue_req(self, conn: Any) -> None:
        """Begins to read a request: of a new connection, or of one that became readable again."""
        deadline = time.monotonic() + (HEADERS_DEADLINE_S if self.alive else STOP_KEEPALIVE_LINGER)
        conn.init()
        conn.sock.setblocking(False)
        self.arriving[conn] = IncomingRequest(deadline, self.max_body_bytes)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._read, conn))
        self._take(conn, conn.parser.unreader.take_buffered())

    def murder_pending(self) -> None:
        """Ends the requests whose deadline passed; gunicorn calls it after each turn of its loop."""
        now = time.monotonic()
        for conn in [conn for conn, deadline in self.lingering.items() if deadline <= now]:
            self._end_lingering(conn)
        late = [(conn, incoming) for conn, incoming in self.arriving.items() if incoming.deadline <= now]
        for conn, incoming in late:
            if incoming.data:
                part = "headers" if incoming.state == "head" else "body"
                message = f"the {part} of the request did not arrive in time; send it faster"
                self._refuse(conn, encode_problem("request_too_slow", message))
            else:
                self._refuse(conn, b"")

    def linger(self, conn: CountedConnection) -> bool:
        """Ends the answer and waits for the client to close, because unread bytes would reset the connection.

        Returns False when there is nothing to wait for.
        """
        try:
            conn.sock.setblocking(False)
            conn.sock.shutdown(socket.SHUT_WR)
            if len(self.lingering) >= MAX_LINGERING:
                return False
            self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._drain, conn))
        except (OSError, ValueError, KeyError):
            return False
        self.lingering[conn] = time.monotonic() + LINGER_S
        return True

    def forget(self, address: str) -> None:
        """Counts a connection of an address less."""
        self.connections[address] -= 1
        if self.connections[address] <= 0:
            del self.connections[address]

    def submit(self, conn: Any, request_line: bytes) -> None:
        """Gives a complete request to a thread."""
        future = self.tpool.submit(self.handle, conn)
        future.add_done_callback(lambda done: self.method_queue.defer(self.finish_request, conn, done))

    def _read(self, conn: Any, _sock: Any) -> None:
        try:
            data = conn.sock.recv(RECEIVED_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._take(conn, data)
        else:
            self._refuse(conn, b"")

    def _take(self, conn: Any, data: bytes) -> None:
        incoming = self.arriving[conn]
        self.buffered_bytes += len(data)
        try:
            state = incoming.feed(data, time.monotonic())
        except Exception as error:  # a head without an end
            self._refuse(conn, encode_request_error(error))
            return
        if state == "complete":
            self._stop_reading(conn)
            conn.parser.unreader.unread(bytes(incoming.data))
            self.submit(conn, incoming.request_line)
        elif self.buffered_bytes > BUFFERED_BYTES_MAX and len(incoming.data) > SMALL_REQUEST_BYTES:
            self._refuse(conn, encode_problem("overloaded", "too many large requests are arriving; retry"))
        elif incoming.wants_continue:
            incoming.wants_continue = False
            with suppress(OSError):
                conn.sock.send(CONTINUE)

    def _stop_reading(self, conn: Any) -> None:
        if incoming := self.arriving.pop(conn, None):
            self.buffered_bytes -= len(incoming.data)
            with suppress(KeyError, ValueError):
                self.poller.unregister(conn.sock)

    def _refuse(self, conn: Any, answer: bytes) -> None:
        """Closes a connection, after an answer if there is one. Never waits."""
        self._stop_reading(conn)
        with suppress(OSError):
            conn.sock.setblocking(False)
            if answer:
                conn.sock.send(answer)
        self.nr_conns -= 1
        conn.close(graceful=bool(answer))

    def _drain(self, conn: CountedConnection, _sock: Any) -> None:
        with suppress(BlockingIOError):
            try:
                is_over = not conn.sock.recv(RECEIVED_BYTES)
            except ConnectionError:
                is_over = True
            if is_over:
                self._end_lingering(conn)

    def _end_lingering(self, conn: CountedConnection) -> None:
        del self.lingering[conn]
        with suppress(KeyError, ValueError):
            self.poller.unregister(conn.sock)
        conn.close()
