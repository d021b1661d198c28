"""A gateway in front of a server, like that of a cloud: it checks credentials and may use TLS."""

import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import orjson
import urllib3

RESPONSE_HEADERS = {"X-Elastic-Product": "Elasticsearch", "Content-Type": "application/json"}
"""Elasticsearch's client rejects a server without the first header."""
UNAUTHORIZED_BODY = orjson.dumps(
    {"error": {"type": "security_exception", "reason": "unable to authenticate"}, "status": 401}
)
NOT_FOUND_BODY = orjson.dumps(
    {"error": {"type": "index_not_found_exception", "reason": "none"}, "status": 404}
)
SEARCH_BODY = orjson.dumps(
    {
        "timed_out": False,
        "_shards": {"total": 1, "successful": 1, "failed": 0},
        "hits": {"hits": [{"_id": "alien", "_score": 2.0, "fields": {"id": ["alien"]}}]},
    }
)


@dataclass(slots=True)
class Gateway:
    """authorization: the accepted header. upstream: the URL of the server; without one, searches return
    `search_body`, document reads return `mget_body`, and everything else is 404."""

    authorization: str = ""
    upstream: str = ""
    certificate: Path | None = None
    search_body: bytes = SEARCH_BODY
    mget_body: bytes = b""
    requests: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"{'http' if self.certificate is None else 'https'}://127.0.0.1:{self.port}"

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        self.requests.append(f"{method} {path}")
        if headers.get("authorization", "") != self.authorization:
            return 401, UNAUTHORIZED_BODY
        if not self.upstream:
            return self._answer_without_upstream(path.partition("?")[0].rpartition("/")[2])
        passed = {"content-type": headers.get("content-type", "application/json")}
        reply = urllib3.request(
            method, self.upstream + path, body=body or None, headers=passed, retries=False
        )
        return reply.status, reply.data

    def _answer_without_upstream(self, endpoint: str) -> tuple[int, bytes]:
        known = {"_search": self.search_body, "_mget": self.mget_body}
        return (200, known[endpoint]) if endpoint in known else (404, NOT_FOUND_BODY)


@contextmanager
def run_gateway(gateway: Gateway) -> Iterator[Gateway]:
    """Listen on a free loopback port while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, answer = gateway.answer(self.command, self.path, headers, body)
            self.send_response(status)
            for name, value in {**RESPONSE_HEADERS, "Content-Length": str(len(answer))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer if self.command != "HEAD" else b"")

        def __getattr__(self, name: str) -> Callable[[], None]:
            if name.startswith("do_"):
                return self.respond
            raise AttributeError(name)

        def log_message(self, format: str, *args: object) -> None:
            """Logs nothing: tests search the output for secrets."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if gateway.certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(gateway.certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    gateway.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield gateway
    server.shutdown()
    thread.join()
    server.server_close()


def create_signed_certificate(folder: Path) -> tuple[Path, Path]:
    """Creates a certificate authority, and a certificate with key for 127.0.0.1 that it signed."""
    authority, key, request, signed = (
        folder / name for name in ("ca.pem", "ca.key", "request", "server.pem")
    )
    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    days = ("-days", "2")
    _run_openssl(
        "req", "-x509", *new_key, *days, "-subj", "/CN=Test authority", "-keyout", key, "-out", authority
    )
    _run_openssl("req", *new_key, "-subj", "/CN=127.0.0.1", "-keyout", signed, "-out", request)
    named = folder / "named"
    named.write_text("subjectAltName=IP:127.0.0.1\n")
    certificate = _run_openssl(
        "x509",
        "-req",
        *days,
        "-in",
        request,
        "-CA",
        authority,
        "-CAkey",
        key,
        "-CAcreateserial",
        "-extfile",
        named,
    )
    signed.write_bytes(signed.read_bytes() + certificate)
    return authority, signed


def _run_openssl(*arguments: str | Path) -> bytes:
    return subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=30).stdout
