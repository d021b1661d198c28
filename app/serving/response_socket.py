"""Sends each response in one piece, so a worker that is killed has sent all of a response or nothing.

gunicorn sends the headers and the body separately. A worker killed in between leaves half a response, and
an aggregator cannot retry a response that has begun. The kernel accepts a send as a whole while the send
buffer of the connection has room for it, and delivers it; docs/deployment.md gives the limits.
"""

import os
import socket
from typing import Any, BinaryIO

BUFFER_BYTES_MAX = 128 * 1024
"""Twice the largest font file of the page. At most this much of a response in parts (a file, a stream) is
buffered; a body in one part is sent together with its headers whatever its size."""


class BufferedSocket:
    """A socket that buffers what is sent until `flush`."""

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
