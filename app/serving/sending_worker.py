"""A worker whose threads never wait for a client that reads slowly.

A thread hands an answer to the kernel, as much of it as fits in the buffer of the connection. What is left
goes to the main loop, which sends it as the client takes it, until a deadline.

Head and body leave in one send. gunicorn sends them separately: a worker killed in between leaves half an
answer, and an aggregator cannot retry one that has begun. The kernel delivers what it took; the limits are in
docs/deployment.md.
"""

import os
import selectors
import socket
import time
from contextlib import suppress
from copy import copy
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO

from reelrank.app.serving.buffering_worker import BufferingWorker, CountedConnection

SEND_DEADLINE_S, SENT_BYTES_PER_S = 10.0, 64 * 1024
"""An answer has the time, and as much more as its length takes at this rate."""
LEAVING_BYTES_MAX = 128 * 1024 * 1024
"""Of all answers that wait for their clients in one worker; then the largest of them ends."""


class BufferedSocket:
    """A socket that buffers what is sent until `send_now`. An answer is in memory anyway."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._buffer = bytearray()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def sendall(self, data: bytes) -> None:
        self._buffer += data

    def sendfile(self, file: BinaryIO, offset: int, count: int) -> None:
        self.sendall(os.pread(file.fileno(), count, offset))

    def send_now(self) -> memoryview:
        """Sends as much as the kernel takes without waiting; returns the rest."""
        with suppress(BlockingIOError):
            while self._buffer:
                del self._buffer[: self._connection.send(self._buffer)]
        return memoryview(bytes(self._buffer))


@dataclass(slots=True)
class LeavingAnswer:
    """The rest of an answer. done: the future of its request. deadline: of the monotonic clock."""

    rest: memoryview
    done: Any
    deadline: float


class SendingWorker(BufferingWorker):
    """A BufferingWorker that sends each answer in one piece, and the rest of a large one in its main loop."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.leaving: dict[CountedConnection, LeavingAnswer] = {}
        self.leaving_bytes = 0

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Runs in a thread. Returns whether the connection stays."""
        buffered = copy(conn)
        buffered.sock = BufferedSocket(conn.sock)
        is_kept_alive = super().handle_request(req, buffered)
        conn.sock.setblocking(False)
        conn.rest = buffered.sock.send_now()
        return is_kept_alive

    def finish_request(self, conn: Any, fs: Any) -> None:
        """Runs in the main loop."""
        rest, conn.rest = conn.rest, memoryview(b"")
        if not rest:
            super().finish_request(conn, fs)
            return
        deadline = time.monotonic() + SEND_DEADLINE_S + len(rest) / SENT_BYTES_PER_S
        self.leaving[conn] = LeavingAnswer(rest, fs, deadline)
        self.leaving_bytes += len(rest)
        self.poller.register(conn.sock, selectors.EVENT_WRITE, partial(self._send, conn))
        if self.leaving_bytes > LEAVING_BYTES_MAX:
            self._give_up(max(self.leaving, key=lambda one: len(self.leaving[one].rest)))

    def murder_pending(self) -> None:
        super().murder_pending()
        now = time.monotonic()
        for conn in [conn for conn, answer in self.leaving.items() if answer.deadline <= now]:
            self._give_up(conn)

    def _send(self, conn: CountedConnection, _sock: Any) -> None:
        answer = self.leaving[conn]
        try:
            sent = conn.sock.send(answer.rest)
        except BlockingIOError:
            return
        except OSError:
            self._give_up(conn)
            return
        self.leaving_bytes -= sent
        answer.rest = answer.rest[sent:]
        if not answer.rest:
            self._stop_sending(conn)
            super().finish_request(conn, answer.done)

    def _give_up(self, conn: CountedConnection) -> None:
        """Closes a connection whose client does not take its answer."""
        self._stop_sending(conn)
        self.nr_conns -= 1
        conn.close()

    def _stop_sending(self, conn: CountedConnection) -> None:
        self.leaving_bytes -= len(self.leaving.pop(conn).rest)
        with suppress(KeyError, ValueError):
            self.poller.unregister(conn.sock)
