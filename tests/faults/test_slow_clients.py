"""Clients that send or read slowly cost the others nothing, and are closed in the end."""

import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime

import pytest

from reelrank.app.serving.incoming_request import BODY_DEADLINE_S, HEADERS_DEADLINE_S
from reelrank.index_mappings.item import Item
from tests.running_service import ServiceProcess, start_service
from tests.sample_project import build_project

pytestmark = pytest.mark.slow
SLOW_CLIENTS = 60
HALF_HEAD = b"GET /v1/search?q=story HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: "
HALF_BODY = b"POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\n{"
CHUNKS = b"POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[{"
CHUNKED = b"POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n"
CHUNKED += b"Content-Type: application/json\r\n\r\n"
LARGE_CHUNK = CHUNKED + b"F" * 16 + b"\r\n[{"
"""A size of more digits than the main loop reads, so that a thread parses it."""
LARGE_BODY = b"POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 900000000\r\n\r\n{"
NO_CLOSE = b"GET /livez HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n"
"""The service ends the connection after its answer, and waits for the client to do so."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    large = [Item(f"large{n}", f"Large {n}", description="word " * 6_000) for n in range(150)]
    directory = tmp_path_factory.mktemp("slow") / "data"
    data_dir = build_project(directory, datetime.now(UTC), large).settings.data_dir
    served = start_service(data_dir, workers=1, threads=2, connections_per_address=100)
    yield served
    served.stop(signal.SIGKILL)


def connect(service: ServiceProcess) -> socket.socket:
    host, port = service.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=60)


@pytest.mark.parametrize("sent", [b"", HALF_HEAD, HALF_BODY, CHUNKS, LARGE_CHUNK, LARGE_BODY, NO_CLOSE])
def test_slow_clients_stop_nobody(service: ServiceProcess, sent: bytes) -> None:
    with ExitStack() as stack:
        for _ in range(SLOW_CLIENTS):
            stack.enter_context(closing(connect(service))).sendall(sent)
        for path in ("/livez", "/v1/search?q=story", "/readyz"):
            assert service.get(path).status == 200
        event = {"kind": "watch", "user": "u", "item": "sea1"}
        assert service.post("/v1/events", event).status == 200


@pytest.mark.parametrize(
    ("sent", "deadline_s"), [(HALF_HEAD, HEADERS_DEADLINE_S), (HALF_BODY, BODY_DEADLINE_S)]
)
def test_a_request_that_never_ends_gets_408(service: ServiceProcess, sent: bytes, deadline_s: float) -> None:
    with closing(connect(service)) as slow:
        slow.sendall(sent)
        slow.settimeout(deadline_s + 20)
        answer = b"".join(iter(lambda: slow.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"code":"request_too_slow"' in answer
    assert b"X-Content-Type-Options: nosniff" in answer


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (LARGE_CHUNK, 400),
        (CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n", 400),
        (CHUNKED + b"2\r\n{}!!0\r\n\r\n", 400),
        (CHUNKED + b"\r\n\r\n", 400),
        (CHUNKED + b"1\r\n5\r\n" * 200_000 + b"0\r\n\r\n", 400),
        (CHUNKED + b"1\r\n \r\n" * 16_000 + b"2\r\n{}\r\n0\r\n\r\n", 400),
        (LARGE_BODY, 413),
        (LARGE_BODY.replace(b"9", b"0000000000000009"), 413),
    ],
)
def test_a_body_of_wrong_lengths_is_refused_and_closed(
    service: ServiceProcess, sent: bytes, status: int
) -> None:
    with closing(connect(service)) as client:
        client.sendall(sent)
        client.settimeout(20)
        answer = b"".join(iter(lambda: client.recv(65_536), b""))
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert answer.count(b"HTTP/1.1 ") == 1


def test_one_address_has_a_limit_of_connections(service: ServiceProcess) -> None:
    with ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(closing(connect(service))).sendall(HALF_HEAD)
        one_more = stack.enter_context(closing(connect(service)))
        assert one_more.recv(65_536).startswith(b"HTTP/1.1 429 ")
    assert service.get("/livez").status == 200


def test_requests_sent_at_once_and_in_pieces_are_all_answered(service: ServiceProcess) -> None:
    request = b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    with closing(connect(service)) as client:
        client.sendall(request * 3 + request[:20])
        client.sendall(request[20:])
        received = b""
        while received.count(b'{"alive":true}') < 4:
            part = client.recv(65_536)
            assert part, received
            received += part


def request_much(service: ServiceProcess) -> socket.socket:
    """Requests 4.5 MB over a connection that takes little of them."""
    host, port = service.url.removeprefix("http://").split(":")
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(60)
    client.connect((host, int(port)))
    client.sendall(b"GET /v1/items?limit=1000 HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
    return client


def test_clients_that_read_slowly_stop_nobody_and_get_all(service: ServiceProcess) -> None:
    with ExitStack() as stack:
        slow = [stack.enter_context(closing(request_much(service))) for _ in range(20)]
        assert slow[-1].recv(1) == b"H"  # all of them are answered: two threads took them in turn
        for path in ("/livez", "/v1/search?q=story", "/v1/items?limit=1000"):
            assert service.get(path).status == 200
        answer = b"H" + b"".join(iter(lambda: slow[-1].recv(1 << 20), b""))
        head, _, body = answer.partition(b"\r\n\r\n")
        length = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
        assert len(body) == int(length.split(b":")[1]) > 4_000_000
