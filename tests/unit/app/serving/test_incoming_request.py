"""The bytes of a request are complete at its end, however they are cut into pieces."""

import itertools

import pytest
from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine
from hypothesis import given
from hypothesis import strategies as st

from reelrank.app.serving.incoming_request import (
    BODY_BYTES_PER_S,
    BODY_DEADLINE_S,
    MAX_HEAD_BYTES,
    IncomingRequest,
)

MAX_BODY = 10_000
HEAD = b"POST /v1/events HTTP/1.1\r\nHost: x\r\n"
COMPLETE = (
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET /v1/search?q=a HTTP/1.1\r\nHost: x\r\nCookie: a=b\r\n\r\n",
    HEAD + b"Content-Length: 0\r\n\r\n",
    HEAD + b"content-length:  5 \r\n\r\nhello",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n1;a=b\r\n0\r\nA\r\n0123456789\r\n0\r\nX: y\r\n\r\n",
)


def feed(pieces: list[bytes]) -> IncomingRequest:
    request = IncomingRequest(10.0, MAX_BODY)
    for piece in pieces:
        request.feed(piece, 0.0)
    return request


@given(st.sampled_from(COMPLETE), st.lists(st.integers(0, 200), max_size=6))
def test_a_request_is_complete_at_its_last_byte(content: bytes, cuts: list[int]) -> None:
    bounds = sorted({0, len(content) - 1, *(cut % len(content) for cut in cuts)})
    pieces = [content[start:end] for start, end in itertools.pairwise(bounds)]
    request = feed(pieces)
    assert request.state != "complete"
    assert request.feed(content[-1:], 0.0) == "complete"
    assert bytes(request.data) == content
    assert request.request_line == content.split(b"\r\n")[0]


@given(st.binary(max_size=400), st.integers(1, 50))
def test_no_bytes_are_lost_or_fail(content: bytes, size: int) -> None:
    request = feed([content[start : start + size] for start in range(0, len(content), size)])
    assert bytes(request.data) == content


@pytest.mark.parametrize(
    "content",
    [b"\r\n\r\n", b"GET /\x00 HTTP/1.1\r\n", b"no http\r\n", HEAD + b"Content-Length: 10001\r\n\r\n",
     HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", HEAD + b"Content-Length: -1\r\n\r\n"],
)  # fmt: skip
def test_what_a_thread_refuses_without_reading_on_is_not_awaited(content: bytes) -> None:
    assert feed([content]).state == "complete"


def test_a_head_without_an_end_is_refused() -> None:
    with pytest.raises(LimitRequestLine):
        feed([b"GET /" + b"a" * 9000])
    with pytest.raises(LimitRequestHeaders):
        feed([b"GET / HTTP/1.1\r\n", b"X: " + b"a" * MAX_HEAD_BYTES])


def test_a_long_body_has_more_time_and_a_head_has_not() -> None:
    assert feed([HEAD]).deadline == 10.0
    expected = BODY_DEADLINE_S + 6400 / BODY_BYTES_PER_S
    assert feed([HEAD + b"Content-Length: 6400\r\n\r\n"]).deadline == pytest.approx(expected)


def test_a_client_may_ask_before_it_sends_a_body() -> None:
    assert feed([HEAD + b"Expect: 100-continue\r\nContent-Length: 6400\r\n\r\n"]).wants_continue
