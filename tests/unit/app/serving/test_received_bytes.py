"""A thread reads what the main loop received, in blocks, and never waits for more."""

import pytest
from gunicorn.http.body import Body, ChunkedReader, LengthReader
from hypothesis import given
from hypothesis import strategies as st

from reelrank.app.serving.incoming_request import (
    BLOCK_BYTES,
    MAX_CHUNKS,
    IncomingRequest,
    ReceivedBytes,
)
from reelrank.app.serving.request_errors import RequestIncomplete, TooManyChunks

HEAD = b"POST /v1/events HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"


def receive(data: bytes) -> ReceivedBytes:
    received = ReceivedBytes()
    received.unread(data)
    return received


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=80), st.binary(max_size=50))
def test_chunks_are_joined_and_what_follows_is_left(chunks: list[bytes], behind: bytes) -> None:
    sent = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    received = receive(sent + behind)
    assert Body(ChunkedReader(None, received)).read() == b"".join(chunks)
    assert received.buf.getvalue() == behind
    assert received.take_buffered() == behind
    assert received.take_buffered() == b""


@given(st.binary(max_size=30_000), st.integers(0, 30_000))
def test_a_body_is_read_up_to_its_length_or_refused(data: bytes, length: int) -> None:
    received = receive(data)
    if length > len(data):
        with pytest.raises(RequestIncomplete):
            Body(LengthReader(received, length)).read()
    else:
        assert Body(LengthReader(received, length)).read() == data[:length]
        assert received.take_buffered() == data[length:]


def test_a_parser_gets_a_block_at_a_time() -> None:
    received = receive(b"x" * (2 * BLOCK_BYTES + 1))
    assert [len(received.read()) for _ in range(3)] == [BLOCK_BYTES, BLOCK_BYTES, 1]
    with pytest.raises(TimeoutError):  # after which gunicorn closes the connection
        received.read()


def test_a_body_of_too_many_chunks_is_refused() -> None:
    few = IncomingRequest(10.0, 8_000_000)
    assert few.feed(HEAD + b"1\r\nx\r\n" * MAX_CHUNKS + b"0\r\n\r\n", 0.0) == "complete"
    many = IncomingRequest(10.0, 8_000_000)
    assert many.feed(HEAD + b"1\r\nx\r\n" * MAX_CHUNKS, 0.0) == "body"
    with pytest.raises(TooManyChunks, match="send larger ones"):
        many.feed(b"1\r\nx\r\n", 0.0)
