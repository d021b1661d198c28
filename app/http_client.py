"""Sends HTTP requests to one server: one deadline for a whole exchange, a limit on the size of a response."""

import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import urllib3
from urllib3.exceptions import HTTPError, ReadTimeoutError
from urllib3.util import parse_url

MAX_IDLE_CONNECTIONS = 16
READ_BYTES = 1 << 20


class ResponseTooLarge(Exception):
    """A response that is longer than the client reads."""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request to a path of the server."""

    method: str
    path: str
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """Status and body of a response."""

    status: int
    body: bytes


class HttpClient:
    """Keeps connections open between requests and opens none before the first, so a fork may come first.

    Certificates of https servers are verified against those of the system. Redirects are not followed, and
    proxies of the environment are not used.
    """

    def __init__(self, url: str, max_response_bytes: int) -> None:
        self.url = url.rstrip("/")
        self._path_prefix = parse_url(self.url).path or ""
        self._max_response_bytes = max_response_bytes
        self._pool = urllib3.connection_from_url(self.url, maxsize=MAX_IDLE_CONNECTIONS, retries=False)

    def send(self, request: HttpRequest, timeout_s: float) -> HttpResponse:
        """Connects, sends and reads the whole response within `timeout_s`.

        Only for the headers the timeout begins anew with each part that arrives.
        Raises TimeoutError, ConnectionError with the reason, or ResponseTooLarge.
        """
        deadline = time.monotonic() + timeout_s
        try:
            response = self._pool.urlopen(
                request.method,
                self._path_prefix + request.path,
                request.body,
                request.headers,
                timeout=urllib3.Timeout(total=timeout_s),
                preload_content=False,
                decode_content=False,
            )
            try:
                return HttpResponse(response.status, self._read_body(response, deadline))
            except BaseException:
                response.close()
                raise
            finally:
                response.release_conn()
        except HTTPError as error:  # of a timeout while sending, urllib3 makes a ProtocolError
            is_late = isinstance(error, ReadTimeoutError) or time.monotonic() >= deadline
            raise (TimeoutError if is_late else ConnectionError)(str(error)) from error

    def _read_body(self, response: urllib3.BaseHTTPResponse, deadline: float) -> bytes:
        """Reads part by part: the timeout of a socket begins anew with every byte of a slow response."""
        body = bytearray()
        while True:
            seconds_left = deadline - time.monotonic()
            if seconds_left <= 0:
                raise TimeoutError("the response is not complete")
            sock: socket.socket | None = getattr(response.connection, "sock", None)
            if sock is not None:
                sock.settimeout(seconds_left)
            part = response.read1(READ_BYTES)
            if not part:
                return bytes(body)
            body += part
            if len(body) > self._max_response_bytes:
                raise ResponseTooLarge(f"more than {self._max_response_bytes} bytes")
