"""The stream of a log: a line that cannot be written is left out, and no caller fails by it."""

from contextlib import suppress
from typing import TextIO


class LogStream:
    """A stream whose failures are ignored.

    Where the log is a file and the disk is full, a failed line would fail the request that it is about, and
    end the background thread that logs why it failed.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError, ValueError):  # ValueError: the stream is closed
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()
