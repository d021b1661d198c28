"""Sends each response in one piece, so a worker that is killed has sent all of a response or nothing.

gunicorn sends the headers and the body separately. A worker killed in between leaves half a response, and
an aggregator cannot retry a response that has begun. The kernel accepts a send as a whole while the send
buffer of the connection has room for it, and delivers it; docs/deployment.md gives the limits.
"""

import os
import socket
from contextlib import suppress
from typing import Any, BinaryIO


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
