"""The ranking service as the candidates role sees it: bytes out, bytes in, within a time."""

import queue
import time
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from socket import socket
from urllib.parse import urlsplit

import orjson

from index_mappings import errors

KEPT_CONNECTIONS = 16
ANSWER_BYTES_MAX = 64_000_000
"""More than 250,000 rows of contributions take; a longer answer is cut off."""
FAMILY: dict[int, type[errors.EngineError]] = {
    400: errors.BadRequest,
    404: errors.NotFound,
    409: errors.Conflict,
    413: errors.BadRequest,
    504: errors.Timeout,
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked; safe to ask twice. content_type: of the body."""

    method: str
    path: str
    body: bytes | None = None
    content_type: str = "application/json"


class RankingService:
    """Connections stay open between requests. Made before or after a fork; opens nothing until asked."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        address = urlsplit(self.url)
        self._kind = HTTPSConnection if address.scheme == "https" else HTTPConnection
        self._host, self._prefix = address.netloc, address.path
        self._idle: queue.LifoQueue[HTTPConnection] = queue.LifoQueue(KEPT_CONNECTIONS)

    def ask(self, asked: Asked, timeout_s: float) -> bytes:
        """The body of its answer. Raises EngineError: Timeout, Unavailable, or what the service says.

        timeout_s: for connecting, sending and the whole answer together. Within that time a connection
        that the service has closed meanwhile is replaced, and what an aggregator has lost with a dying
        worker (502) is asked once more.
        """
        until, lost = time.monotonic() + timeout_s, False
        while True:
            connection, is_new = self._connection()
            try:
                status, body = self._answer(connection, asked, until)
            except errors.Unavailable:
                connection.close()
                raise
            except TimeoutError as error:
                connection.close()
                reason = f"{self.url} gave no answer within {timeout_s * 1000:.0f} ms"
                raise errors.Timeout(f"the ranking service at {reason}") from error
            except (OSError, HTTPException) as error:
                connection.close()
                if is_new:
                    what = f"the ranking service at {self.url} cannot be reached ({error})"
                    raise errors.Unavailable(what) from error
                continue
            if status != 502 or lost:
                break
            lost = True
        if status != 200:
            raise FAMILY.get(status, errors.Unavailable)(_detail(status, body))
        return body

    def _connection(self) -> tuple[HTTPConnection, bool]:
        try:
            return self._idle.get_nowait(), False
        except queue.Empty:
            return self._kind(self._host), True

    def _answer(self, connection: HTTPConnection, asked: Asked, until: float) -> tuple[int, bytes]:
        connection.timeout = _left(until)
        if connection.sock is not None:
            connection.sock.settimeout(connection.timeout)
        headers = {} if asked.body is None else {"Content-Type": asked.content_type}
        connection.request(asked.method, self._prefix + asked.path, asked.body, headers)
        sock = connection.sock
        sock.settimeout(_left(until))
        response = connection.getresponse()
        body = _read(response, sock, until)
        if response.will_close:
            connection.close()
        else:
            self._keep(connection)
        return response.status, body

    def _keep(self, connection: HTTPConnection) -> None:
        try:
            self._idle.put_nowait(connection)
        except queue.Full:
            connection.close()


def _read(response: HTTPResponse, sock: socket, until: float) -> bytes:
    """Read part by part: a socket's own timeout begins anew with every byte that trickles in."""
    body = bytearray()
    while part := response.read1(1 << 20):
        body += part
        if len(body) > ANSWER_BYTES_MAX:
            raise errors.Unavailable(f"the ranking service answers with more than {ANSWER_BYTES_MAX} bytes")
        if response.isclosed():
            break
        sock.settimeout(_left(until))
    return bytes(body + response.read())


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _detail(status: int, body: bytes) -> str:
    try:
        return str(orjson.loads(body)["detail"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return f"the ranking service answers {status}"
