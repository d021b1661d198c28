"""Client of the ranking service: retries, one deadline, and an error for each kind of failure."""

import contextlib
import socket
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from reelrank.app.http_client import HttpRequest
from reelrank.app.scoring.ranking_client import RankingService
from reelrank.app.scoring.remote_ranker import RemoteRanker
from reelrank.index_mappings.errors import Conflict, Timeout, Unavailable
from reelrank.ranking.wire.feature_rows import to_bytes
from tests.raised import raises_code
from tests.socket_server import Exchange, listen

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
Start = Callable[[Exchange], RankingService]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a server that answers each connection by a function in a thread."""
    with listen() as start_server:
        yield lambda answer: RankingService(f"http://127.0.0.1:{start_server(answer)}/")


def test_a_connection_that_the_service_closed_is_replaced(start: Start) -> None:
    answered: list[int] = []

    def answer_twice(connection: socket.socket) -> None:
        for _ in range(2):
            connection.recv(65536)
            answered.append(connection.fileno())
            connection.sendall(ANSWER)

    service = start(answer_twice)
    for _ in range(4):
        assert service.send(HttpRequest("GET", "/"), 5.0) == b"ok"
    assert len(answered) == 4


def test_a_slow_response_ends_at_the_deadline(start: Start) -> None:
    def trickle(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
        with contextlib.suppress(ConnectionError):  # the client has gone
            for _ in range(100):
                time.sleep(0.05)
                connection.sendall(b".")

    began = time.monotonic()
    with pytest.raises(Timeout):
        start(trickle).send(HttpRequest("GET", "/"), 0.3)
    assert time.monotonic() - began < 2.0


@pytest.mark.parametrize(
    "failure", [b"", b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"], ids=["broken", "502"]
)
def test_a_lost_request_is_sent_once_more(start: Start, failure: bytes) -> None:
    responses = [ANSWER, failure]

    def lose_first(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(responses.pop())

    assert start(lose_first).send(HttpRequest("GET", "/"), 5.0) == b"ok"


@pytest.mark.parametrize(
    ("failure", "code", "sent"),
    [
        (b"", "ranking_service_failed", 2),
        (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", "unavailable", 2),
        (b"HTTP/1.1 503 Unavailable\r\nContent-Length: 0\r\n\r\n", "unavailable", 1),
    ],
    ids=["broken", "502", "503"],
)
def test_a_service_that_stays_away_is_unavailable(start: Start, failure: bytes, code: str, sent: int) -> None:
    attempts = []

    def fail(connection: socket.socket) -> None:
        connection.recv(65536)
        attempts.append(1)
        connection.sendall(failure)

    with raises_code(Unavailable, code):
        start(fail).send(HttpRequest("GET", "/"), 5.0)
    assert len(attempts) == sent


def test_an_error_of_the_service_keeps_its_kind_and_message(start: Start) -> None:
    body = b'{"code": "embeddings_mismatch", "detail": "it does not fit"}'

    def reject(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 409 Conflict\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    with raises_code(Conflict, "embeddings_mismatch"):
        start(reject).send(HttpRequest("POST", "/", b"{}"), 5.0)


def answer_with(body: bytes) -> Callable[[socket.socket], None]:
    def answer(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    return answer


def build_overclaimed_scores() -> bytes:
    """Returns scores of 1237 rows that claim two million."""
    body = to_bytes(np.ones((1237, 1), np.float32), ("score",))
    return body.replace((1237).to_bytes(8, "little"), (2_000_000).to_bytes(8, "little"))


@pytest.mark.parametrize(
    "body",
    [
        build_overclaimed_scores(),
        to_bytes(np.ones((3, 1), np.float32), ("score",))[:-60],
        to_bytes(np.ones((4, 1), np.float32), ("score",)),
        to_bytes(np.ones((2, 1), np.float32), ("score",)),
        to_bytes(np.ones((3, 1), np.float64).astype(np.float64), ("score",)),
        b"",
        b"scores",
    ],
    ids=["claims more", "cut", "more rows", "fewer rows", "doubles", "empty", "words"],
)
def test_wrong_scores_are_a_failure_of_the_service(start: Start, body: bytes) -> None:
    ranker = RemoteRanker("first", ("a", "b"), start(answer_with(body)), 5.0)
    with raises_code(Unavailable, "ranking_service_failed"):
        ranker.score(np.zeros((3, 2), np.float32))


def test_an_endless_response_is_cut_off(start: Start) -> None:
    def pour(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        with contextlib.suppress(OSError):  # the client has gone
            while True:
                connection.sendall(bytes(1 << 20))

    with raises_code(Unavailable, "ranking_service_failed"):
        start(pour).send(HttpRequest("GET", "/"), 20.0)
