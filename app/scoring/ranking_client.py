"""The ranking service as the candidates role sees it: bytes out, bytes in, within a time."""

import queue
import time
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from socket import socket
from urllib.parse import urlsplit

import orjson

from reelrank.index_mappings import errors

MAX_IDLE_CONNECTIONS = 16
ANSWER_BYTES_MAX = 64_000_000
"""More than 250,000 rows of contributions take; a longer answer is cut off."""
ERROR_BY_STATUS: dict[int, type[errors.EngineError]] = {
    400: errors.BadRequest,
    404: errors.NotFound,
    409: errors.Conflict,
    413: errors.BadRequest,
    504: errors.Timeout,
}


@dataclass(frozen=True, slots=True)
class HttpRequest:
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
        self._connection_class = HTTPSConnection if address.scheme == "https" else HTTPConnection
        self._host, self._prefix = address.netloc, address.path
        self._idle: queue.LifoQueue[HTTPConnection] = queue.LifoQueue(MAX_IDLE_CONNECTIONS)

    def send(self, request: HttpRequest, timeout_s: float) -> bytes:
        """The body of its answer. Raises EngineError: Timeout, Unavailable, or what the service says.

        timeout_s: for connecting, sending and the whole answer together. Within that time a connection
        that the service has closed meanwhile is replaced, and what an aggregator has lost with a dying
        worker (502) is asked once more.
        """
        until, lost = time.monotonic() + timeout_s, False
        while True:
            connection, is_new = self._acquire_connection()
            try:
                status, body = self._exchange(connection, request, until)
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
            raise _parse_error(status, body)
        return body

    def _acquire_connection(self) -> tuple[HTTPConnection, bool]:
        try:
            return self._idle.get_nowait(), False
        except queue.Empty:
            return self._connection_class(self._host), True

    def _exchange(
        self, connection: HTTPConnection, request: HttpRequest, deadline: float
    ) -> tuple[int, bytes]:
        connection.timeout = _compute_seconds_left(deadline)
        if connection.sock is not None:
            connection.sock.settimeout(connection.timeout)
        headers = {} if request.body is None else {"Content-Type": request.content_type}
        connection.request(request.method, self._prefix + request.path, request.body, headers)
        sock = connection.sock
        sock.settimeout(_compute_seconds_left(deadline))
        response = connection.getresponse()
        body = _read_body(response, sock, deadline)
        if response.will_close:
            connection.close()
        else:
            self._release_connection(connection)
        return response.status, body

    def _release_connection(self, connection: HTTPConnection) -> None:
        try:
            self._idle.put_nowait(connection)
        except queue.Full:
            connection.close()


def _read_body(response: HTTPResponse, sock: socket, deadline: float) -> bytes:
    """Read part by part: a socket's own timeout begins anew with every byte that trickles in."""
    body = bytearray()
    while part := response.read1(1 << 20):
        body += part
        if len(body) > ANSWER_BYTES_MAX:
            raise errors.Unavailable(f"the ranking service answers with more than {ANSWER_BYTES_MAX} bytes")
        if response.isclosed():
            break
        sock.settimeout(_compute_seconds_left(deadline))
    return bytes(body + response.read())


def _compute_seconds_left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _parse_error(status: int, body: bytes) -> errors.EngineError:
    """The error that a problem+json answer stands for; a service without codes is told by its status."""
    try:
        problem = orjson.loads(body)
        detail, code = str(problem["detail"]), problem.get("code")
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        detail, code = f"the ranking service answers {status}", None
    if code == errors.ModelNotFound.code:
        return errors.ModelNotFound(detail)
    return ERROR_BY_STATUS.get(status, errors.Unavailable)(detail)
