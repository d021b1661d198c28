"""One request while its bytes arrive: complete, invalid, too large, or still expected until a deadline."""

import io
import re
from dataclasses import dataclass, field
from typing import Literal

from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine

from reelrank.app.serving.request_errors import MAX_REQUEST_LINE, RequestIncomplete, TooManyChunks

HEADERS_DEADLINE_S = 10.0
"""For the whole head of a request, from the first chance to send it."""
BODY_DEADLINE_S, BODY_BYTES_PER_S = 10.0, 64 * 1024
"""A body has the time, and as much more as its length takes at this rate: 8 MB have two minutes."""
MAX_HEAD_BYTES = 64 * 1024
MAX_CHUNK_LINE = 1024
MAX_CHUNKS = 16_384
"""Of one body: 8 MB in chunks of 512 bytes. Each costs as much as a kilobyte."""
BLOCK_BYTES = 8192
"""gunicorn copies the rest of a block for each chunk in it: with one block of 200 kB it took seconds."""
END_OF_HEAD, END_OF_LINE = b"\r\n\r\n", b"\r\n"
REQUEST_LINE = re.compile(rb"[!-~]+ [!-~\x80-\xff]+ HTTP/\d\.\d")
CONTENT_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,18})[ \t]*\r\n", re.IGNORECASE)
CHUNKED = re.compile(rb"\r\ntransfer-encoding:[^\r\n]*chunked", re.IGNORECASE)
EXPECTS_CONTINUE = re.compile(rb"\r\nexpect:[ \t]*100-continue", re.IGNORECASE)

State = Literal["head", "body", "complete"]


@dataclass(slots=True)
class IncomingRequest:
    """Collects the bytes of one request, and of what the client sends behind it.

    deadline: in seconds of the monotonic clock. max_body_bytes: a longer body is not awaited, because the
    application refuses it by its length. What is no HTTP counts as complete: gunicorn's parser says why.
    """

    deadline: float
    max_body_bytes: int
    data: bytearray = field(default_factory=bytearray)
    state: State = "head"
    wants_continue: bool = False
    _end: int = 0
    """Of the head; then of the last chunk that was found. For a body with a length, of the request."""
    _is_chunked: bool = False
    _chunks: int = 0

    def feed(self, data: bytes, now: float) -> State:
        """Takes bytes. Raises LimitRequestLine, LimitRequestHeaders or TooManyChunks."""
        self.data += data
        if self.state == "head":
            self._find_head(now)
        if self.state == "body":
            is_complete = self._find_last_chunk() if self._is_chunked else len(self.data) >= self._end
            self.state = "complete" if is_complete else "body"
        return self.state

    @property
    def request_line(self) -> bytes:
        return bytes(self.data[: max(0, self.data.find(END_OF_LINE))])

    def _find_head(self, now: float) -> None:
        end = self.data.find(END_OF_HEAD)
        line_end = self.data.find(END_OF_LINE)
        if line_end >= 0 and not REQUEST_LINE.fullmatch(self.data, 0, line_end):
            self.state = "complete"
        elif end >= 0:
            self._begin_body(end, now)
        elif line_end < 0 and len(self.data) > MAX_REQUEST_LINE:
            raise LimitRequestLine(len(self.data), MAX_REQUEST_LINE)
        elif len(self.data) > MAX_HEAD_BYTES:
            raise LimitRequestHeaders("the headers have no end")

    def _begin_body(self, head_end: int, now: float) -> None:
        head = bytes(self.data[: head_end + len(END_OF_LINE)])
        found = CONTENT_LENGTH.search(head)
        length = int(found[1]) if found else 0
        self._end, self._is_chunked = head_end + len(END_OF_HEAD), bool(CHUNKED.search(head))
        if length > self.max_body_bytes or not (length or self._is_chunked):
            self.state = "complete"
            return
        self._end += 0 if self._is_chunked else length
        self.state = "body"
        self.wants_continue = bool(EXPECTS_CONTINUE.search(head))
        expected = self.max_body_bytes if self._is_chunked else length
        self.deadline = now + BODY_DEADLINE_S + expected / BODY_BYTES_PER_S

    def _find_last_chunk(self) -> bool:
        """Returns whether the last chunk and its trailer are here, or bytes that are no chunk."""
        if len(self.data) > 2 * self.max_body_bytes:
            return True
        while (line_end := self.data.find(END_OF_LINE, self._end)) >= 0:
            size = bytes(self.data[self._end : line_end]).partition(b";")[0].strip()
            if not re.fullmatch(rb"[0-9a-fA-F]{1,15}", size):
                return True
            if int(size, 16) == 0:
                return self.data.find(END_OF_HEAD, line_end) >= 0
            self._chunks += 1
            if self._chunks > MAX_CHUNKS:
                raise TooManyChunks(f"it has more than {MAX_CHUNKS} chunks; send larger ones")
            self._end = line_end + 2 * len(END_OF_LINE) + int(size, 16)
        return len(self.data) - self._end > MAX_CHUNK_LINE


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
