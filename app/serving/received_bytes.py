"""What gunicorn's parser reads from: bytes of a request that the main loop has received, and nothing more."""

import io

from reelrank.app.serving.request_errors import RequestIncomplete

BLOCK_BYTES = 8192
"""gunicorn copies the rest of a block for each chunk in it: with one block of 200 kB it took seconds."""


class ReceivedBytes:
    """In place of gunicorn's Unreader, which reads from the socket, in a thread, as long as a client likes.

    sock: None, so that gunicorn sets no timeouts.
    """

    def __init__(self) -> None:
        self.sock = None
        self._data = memoryview(b"")

    @property
    def buf(self) -> io.BytesIO:
        """Returns what is left, as gunicorn looks at it."""
        return io.BytesIO(self._data)

    def unread(self, data: bytes) -> None:
        """Puts bytes in front."""
        self._data = memoryview(data + bytes(self._data) if self._data else data)

    def take_buffered(self) -> bytes:
        """Returns and forgets what is left, such as a request that was sent behind another."""
        rest, self._data = bytes(self._data), memoryview(b"")
        return rest

    def read(self, size: int | None = None, read_ahead: int | None = None) -> bytes:
        """Returns `size` bytes, or a block. Raises RequestIncomplete when there are fewer."""
        if size == 0:
            return b""
        wanted = size or max(BLOCK_BYTES, read_ahead or 0)
        if not self._data or (size and len(self._data) < size):
            raise RequestIncomplete("its chunks or its length do not fit what was sent")
        block, self._data = bytes(self._data[:wanted]), self._data[wanted:]
        return block
