"""The HTTP client: one deadline, a limit on the response, connections reused, failures by their kind."""

import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reelrank.app.http_client import HttpClient, HttpRequest, HttpResponse, ResponseTooLarge
from tests.socket_server import Exchange, listen

GET = HttpRequest("GET", "/a?b=c")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
Start = Callable[[Exchange], int]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a server that answers each connection by a function in a thread; returns its port."""
    with listen() as start_server:
        yield start_server


def make_client(port: int, path: str = "") -> HttpClient:
    return HttpClient(f"http://127.0.0.1:{port}{path}", max_response_bytes=1_000_000)


def answer(*responses: bytes) -> Exchange:
    def exchange(connection: socket.socket) -> None:
        for response in responses:
            connection.recv(65536)
            connection.sendall(response)

    return exchange


def test_a_request_carries_path_prefix_headers_and_body(start: Start) -> None:
    received: list[bytes] = []

    def exchange(connection: socket.socket) -> None:
        while not b"".join(received).endswith(b"body"):
            received.append(connection.recv(65536))
        connection.sendall(OK)

    request = HttpRequest("POST", "/import?x=1", b"body", {"Content-Type": "text/plain"})
    assert make_client(start(exchange), "/base/").send(request, 5.0) == HttpResponse(200, b"ok")
    text = b"".join(received)
    assert text.startswith(b"POST /base/import?x=1 HTTP/1.1\r\n")
    assert b"\r\nContent-Type: text/plain\r\n" in text
    assert text.endswith(b"\r\n\r\nbody")


def test_connections_are_reused_and_replaced_once_the_server_closed_them(start: Start) -> None:
    ports, closed = [], threading.Semaphore(0)

    def two_responses(connection: socket.socket) -> None:
        ports.append(connection.getpeername()[1])
        answer(OK, OK)(connection)
        connection.close()
        closed.release()

    client = make_client(start(two_responses))
    for _ in range(3):
        assert [client.send(GET, 5.0).body for _ in range(2)] == [b"ok", b"ok"]
        assert closed.acquire(timeout=10)
    assert len(set(ports)) == 3


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (CHUNKED, HttpResponse(200, b"abc")),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end", HttpResponse(200, b"until the end")),
        (b"HTTP/1.1 204 No Content\r\n\r\n", HttpResponse(204, b"")),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", HttpResponse(404, b"no")),
        (b"HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n", HttpResponse(302, b"")),
    ],
    ids=["chunked", "until close", "empty", "not found", "redirect"],
)
def test_a_response_is_returned_as_it_came(start: Start, response: bytes, expected: HttpResponse) -> None:
    assert make_client(start(answer(response))).send(GET, 5.0) == expected


@pytest.mark.parametrize(
    ("head", "part"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", b"."),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n.\r\n"),
        (b"", b""),
    ],
    ids=["slow body", "slow chunks", "silence"],
)
def test_a_slow_response_ends_at_the_deadline(start: Start, head: bytes, part: bytes) -> None:
    def trickle(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(head)
        for _ in range(100):
            time.sleep(0.05)
            connection.sendall(part)

    client, began = make_client(start(trickle)), time.monotonic()
    with pytest.raises(TimeoutError):
        client.send(GET, 0.3)
    assert time.monotonic() - began < 2.0


def test_a_server_that_reads_nothing_ends_at_the_deadline(start: Start) -> None:
    client, began = make_client(start(lambda connection: time.sleep(3))), time.monotonic()
    with pytest.raises(TimeoutError):
        client.send(HttpRequest("POST", "/", bytes(50_000_000)), 0.3)
    assert time.monotonic() - began < 2.0


def test_a_response_that_is_too_large_is_cut_off(start: Start) -> None:
    def pour(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(bytes(1 << 20))

    with pytest.raises(ResponseTooLarge, match="more than 1000000 bytes"):
        make_client(start(pour)).send(GET, 20.0)


@pytest.mark.parametrize(
    "response",
    [b"", b"SSH-2.0-Server\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut", CHUNKED[:-9]],
    ids=["closed", "another protocol", "cut body", "cut chunks"],
)
def test_a_broken_response_is_a_connection_error(start: Start, response: bytes) -> None:
    with pytest.raises(ConnectionError):
        make_client(start(answer(response))).send(GET, 5.0)


def test_a_closed_port_is_a_connection_error_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with pytest.raises(ConnectionError, match="refused"):
        make_client(port).send(GET, 5.0)


def test_a_failed_exchange_leaves_the_client_usable(start: Start) -> None:
    responses = [OK, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut"]
    client = make_client(start(lambda connection: answer(responses.pop())(connection)))  # noqa: PLW0108  # one response for each connection
    with pytest.raises(ConnectionError):
        client.send(GET, 5.0)
    assert client.send(GET, 5.0).body == b"ok"


def test_a_certificate_is_verified(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def exchange(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as encrypted:
            answer(OK)(encrypted)

    url = f"https://localhost:{start(exchange)}"
    with pytest.raises(ConnectionError, match="CERTIFICATE_VERIFY_FAILED"):
        HttpClient(url, 1000).send(GET, 5.0)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert HttpClient(url, 1000).send(GET, 5.0).body == b"ok"
