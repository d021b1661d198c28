"""The socket of one answer, which leaves in one send: whoever is killed has answered whole or not at all.

gunicorn sends the head, and then the body. A worker killed between the two leaves half an answer, and once
an answer has begun no other worker can be asked. The kernel takes a send whole while the connection's send
buffer has room for it, and delivers what it took; docs/deployment.md says how much that is.
"""

import os
import socket
from typing import Any, BinaryIO

BUFFER_BYTES_MAX = 128 * 1024
"""Twice the largest font of the page. Of what comes in parts (a file, a stream) no more than this waits for
its end; a body in one piece leaves with its head however large it is."""


class BufferedSocket:
    """Keeps what is sent until it is told that this was all of it; otherwise the connection's own socket."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._buffer = bytearray()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def sendall(self, data: bytes) -> None:
        self._buffer += data
        if len(self._buffer) > BUFFER_BYTES_MAX:
            self.flush()

    def sendfile(self, file: BinaryIO, offset: int, count: int) -> None:
        if count <= BUFFER_BYTES_MAX:
            self.sendall(os.pread(file.fileno(), count, offset))
        else:
            self.flush()
            self._connection.sendfile(file, offset, count)

    def flush(self) -> None:
        if self._buffer:
            self._connection.sendall(self._buffer)
            self._buffer.clear()
