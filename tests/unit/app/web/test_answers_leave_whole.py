"""The sends of the gunicorn worker, seen through a socket that keeps them apart."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from flask import Flask, Response, send_file, send_from_directory
from gunicorn.config import Config
from gunicorn.glogging import Logger
from gunicorn.workers.gthread import TConn

from reelrank.app.serving.graceful_worker import GracefulWorker
from reelrank.app.web.pages.static_files import STATIC_DIR

HOST = ("127.0.0.1", 80)
PART = bytes(range(256)) * 64
LARGE_BYTES = 8 << 20
LARGEST_FONT = max(STATIC_DIR.glob("*.woff2"), key=lambda file: file.stat().st_size)


@pytest.fixture
def large_file(tmp_path: Path) -> Path:
    file = tmp_path / "large"
    file.write_bytes(PART * (LARGE_BYTES // len(PART)))
    return file


@pytest.fixture
def worker(large_file: Path) -> Iterator[GracefulWorker]:
    app = Flask("answers", static_folder=None)
    app.add_url_rule("/scores", "scores", lambda: Response(PART))
    app.add_url_rule("/nothing", "nothing", lambda: ("", 204))
    app.add_url_rule("/parts/<int:n>", "parts", lambda n: Response(PART for _ in range(n)))
    app.add_url_rule("/files/<name>", "files", lambda name: send_from_directory(STATIC_DIR, name))
    app.add_url_rule("/large", "large", lambda: send_file(large_file))
    config = Config()
    worker = GracefulWorker(1, 0, [], None, 30, config, Logger(config))
    worker.wsgi = app
    yield worker
    worker.tmp.close()


def collect_sends(worker: GracefulWorker, *requests: str) -> list[bytes]:
    """Collects each send of the worker to a client that sends all requests on one connection."""
    server_side, client_side = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with closing(client_side), ThreadPoolExecutor(1) as pool:
        read = pool.submit(lambda: list(iter(lambda: client_side.recv(1 << 20), b"")))
        with closing(server_side):
            connection = TConn(worker.cfg, server_side, HOST, HOST)
            for request in requests:
                client_side.send(f"{request} HTTP/1.1\r\nHost: reelrank\r\n\r\n".encode())
                assert worker.handle(connection) is True  # the next request may come on it
        return read.result(timeout=30)


def read_body(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[2]


def test_head_and_body_leave_in_one_send(worker: GracefulWorker) -> None:
    (answer,) = collect_sends(worker, "GET /scores")
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert read_body(answer) == PART


@pytest.mark.parametrize(
    ("request_line", "status"), [("HEAD /scores", b"200"), ("GET /nothing", b"204"), ("GET /absent", b"404")]
)
def test_an_answer_without_a_body_or_an_error_leaves_in_one_send(
    worker: GracefulWorker, request_line: str, status: bytes
) -> None:
    (answer,) = collect_sends(worker, request_line)
    assert answer.split()[1] == status
    assert (read_body(answer) == b"") == (status != b"404")


def test_each_answer_on_a_persistent_connection_is_one_send(worker: GracefulWorker) -> None:
    answers = collect_sends(worker, "GET /scores", "HEAD /scores", "GET /scores")
    assert [read_body(answer) for answer in answers] == [PART, b"", PART]


@pytest.mark.parametrize("name", ["style.css", LARGEST_FONT.name])
def test_a_static_file_leaves_in_one_send_with_its_head(worker: GracefulWorker, name: str) -> None:
    (answer,) = collect_sends(worker, f"GET /files/{name}")
    assert read_body(answer) == (STATIC_DIR / name).read_bytes()


def test_a_chunked_answer_leaves_once_it_is_complete(worker: GracefulWorker) -> None:
    (answer,) = collect_sends(worker, "GET /parts/3")
    chunk = b"%X\r\n%s\r\n" % (len(PART), PART)
    assert read_body(answer) == 3 * chunk + b"0\r\n\r\n"


@pytest.mark.parametrize("reads", [True, False])
def test_a_large_answer_leaves_what_its_client_does_not_take(worker: GracefulWorker, reads: bool) -> None:
    """The thread never waits: the main loop sends the rest (tests/faults/test_slow_clients.py)."""
    number = LARGE_BYTES // len(PART)
    taken, rest = collect_answer(worker, f"GET /parts/{number}", reads)
    assert len(rest) > 0 or reads
    assert (taken + rest).count(PART) == number
    assert (taken + rest).endswith(b"0\r\n\r\n")


def test_a_large_file_is_complete(worker: GracefulWorker, large_file: Path) -> None:
    taken, rest = collect_answer(worker, "GET /large", True)
    assert read_body(taken + rest) == large_file.read_bytes()


def collect_answer(worker: GracefulWorker, request: str, reads: bool) -> tuple[bytes, bytes]:
    """Returns what a client gets of an answer from the thread, and what is left for the main loop."""
    server_side, client_side = socket.socketpair()
    with closing(client_side), closing(server_side), ThreadPoolExecutor(1) as pool:
        connection = TConn(worker.cfg, server_side, HOST, HOST)
        client_side.send(f"{request} HTTP/1.1\r\nHost: reelrank\r\n\r\n".encode())
        collect = partial(iter, lambda: client_side.recv(1 << 20), b"")
        read = pool.submit(lambda: b"".join(collect())) if reads else None
        assert worker.handle(connection) is True
        server_side.shutdown(socket.SHUT_WR)
        taken = b"".join(collect()) if read is None else read.result(timeout=30)
        return taken, bytes(connection.rest)
