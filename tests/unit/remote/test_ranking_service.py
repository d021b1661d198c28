"""Asking the ranking service: connections reused and replaced, one deadline, failures by their kind."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from app.remote.ranking_service import Asked, RankingService
from index_mappings.errors import Conflict, Timeout, Unavailable

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
Start = Callable[[Callable[[socket.socket], None]], RankingService]


@pytest.fixture
def start() -> Iterator[Start]:
    """Answers each connection by a function of its own thread."""
    listening = socket.create_server(("127.0.0.1", 0))

    def started(answer: Callable[[socket.socket], None]) -> RankingService:
        def accept() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                threading.Thread(target=_closing, args=(answer, connection), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        return RankingService(f"http://127.0.0.1:{listening.getsockname()[1]}/")

    yield started
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()


def _closing(answer: Callable[[socket.socket], None], connection: socket.socket) -> None:
    with connection:
        answer(connection)


def test_a_connection_is_used_again_and_replaced_once_the_service_has_closed_it(start: Start) -> None:
    served: list[int] = []

    def two_answers(connection: socket.socket) -> None:
        for _ in range(2):
            connection.recv(65536)
            served.append(connection.fileno())
            connection.sendall(ANSWER)

    service = start(two_answers)
    for _ in range(4):
        assert service.ask(Asked("GET", "/"), 5.0) == b"ok"
    assert len(served) == 4


def test_an_answer_that_trickles_ends_at_the_deadline(start: Start) -> None:
    def trickle(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
        with contextlib.suppress(ConnectionError):  # whoever asked has gone
            for _ in range(100):
                time.sleep(0.05)
                connection.sendall(b".")

    began = time.monotonic()
    with pytest.raises(Timeout, match="no answer within 300 ms"):
        start(trickle).ask(Asked("GET", "/"), 0.3)
    assert time.monotonic() - began < 2.0


def test_a_connection_that_breaks_before_the_answer_is_unavailable(start: Start) -> None:
    with pytest.raises(Unavailable, match="cannot be reached"):
        start(lambda connection: None).ask(Asked("GET", "/"), 5.0)


def test_a_refusal_keeps_its_kind_and_its_words(start: Start) -> None:
    body = b'{"detail": "it does not fit"}'

    def refuse(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 409 Conflict\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    with pytest.raises(Conflict, match="it does not fit"):
        start(refuse).ask(Asked("POST", "/", b"{}"), 5.0)
