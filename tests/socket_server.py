"""A TCP server for tests of clients: a function answers each connection, in a thread."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Exchange = Callable[[socket.socket], None]


@contextmanager
def listen() -> Iterator[Callable[[Exchange], int]]:
    """Yields a function that starts to answer connections and returns the port."""
    listening = socket.create_server(("127.0.0.1", 0))

    def start(exchange: Exchange) -> int:
        threading.Thread(target=_accept_connections, args=(listening, exchange), daemon=True).start()
        return int(listening.getsockname()[1])

    yield start
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()


def _accept_connections(listening: socket.socket, exchange: Exchange) -> None:
    while True:
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        threading.Thread(target=_answer, args=(exchange, connection), daemon=True).start()


def _answer(exchange: Exchange, connection: socket.socket) -> None:
    with connection, contextlib.suppress(OSError):  # the client may close first
        exchange(connection)
