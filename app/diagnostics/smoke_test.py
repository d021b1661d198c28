"""The smoke test of a running service: the page, a viewer's recommendations, and a search."""

import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

import orjson

from reelrank.app.http_client import HttpClient, HttpRequest, ResponseTooLarge

READY_TIMEOUT_S = 60.0
RESPONSE_TIMEOUT_S = 10.0
MAX_RESPONSE_BYTES = 16_000_000
LOG_LINES = 20


class CheckFailed(Exception):
    """The request that failed and what was wrong with its answer."""

    code: ClassVar[str] = "check_failed"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One checked address, a summary of its answer, and the milliseconds it took."""

    path: str
    summary: str
    took_ms: float


def find_free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def find_bind_error(host: str, port: int) -> str:
    """Returns the reason why a service cannot listen there; empty when it can."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.strerror or str(error)
    return ""


@contextmanager
def run_service(
    command: Sequence[str], url: str, log_path: Path | None = None, timeout_s: float = READY_TIMEOUT_S
) -> Iterator[int]:
    """Runs the service until the block ends; yields its process id. Raises CheckFailed when it is not ready.

    log_path: the file for its standard error; None: standard error of this process.
    """
    with nullcontext() if log_path is None else log_path.open("wb") as errors:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors)
    try:
        until = time.monotonic() + timeout_s
        while not is_ready(url):
            if process.poll() is not None or time.monotonic() > until:
                log = "its log is above" if log_path is None else f"its log:\n{read_log_tail(log_path)}"
                raise CheckFailed(f"the service ended or was not ready after {timeout_s:.0f} s; {log}")
            time.sleep(0.2)
        yield process.pid
    finally:
        process.terminate()
        process.wait(timeout=30)


def read_log_tail(log_path: Path) -> str:
    return "\n".join(log_path.read_text(errors="replace").splitlines()[-LOG_LINES:])


def run_smoke_test(url: str, user_id: str) -> list[CheckResult]:
    """Requests the page, the viewer's recommendations, and a search for the first. Raises CheckFailed."""
    page, page_ms = _fetch(url, "/")
    if b"<title>" not in page:
        raise CheckFailed("/ is not an HTML page")
    home_path = f"/v1/recommendations?user={quote(user_id)}&limit=5"
    home, home_ms = _fetch_list(url, home_path)
    first = home["hits"][0]
    search_path = f"/v1/search?q={quote(first['title'])}&limit=5"
    found, search_ms = _fetch_list(url, search_path)
    if first["id"] not in [hit["id"] for hit in found["hits"]]:
        raise CheckFailed(f"{search_path} does not find {first['title']!r}")
    return [
        CheckResult("/", f"{len(page):,} bytes of HTML", page_ms),
        CheckResult(home_path, _summarize_hits(home), home_ms),
        CheckResult(search_path, _summarize_hits(found), search_ms),
    ]


def _fetch_list(url: str, path: str) -> tuple[Any, float]:
    body, took_ms = _fetch(url, path)
    answer = orjson.loads(body)
    if not answer["hits"]:
        raise CheckFailed(f"{path}: no hits")
    if answer["degraded"]:
        raise CheckFailed(f"{path}: incomplete: {'; '.join(answer['degraded'])}")
    return answer, took_ms


def _summarize_hits(answer: Any) -> str:
    titles = "; ".join(hit["title"] for hit in answer["hits"])
    return f"{answer['candidates']} candidates ranked by {answer['model']}: {titles}"


def _fetch(url: str, path: str) -> tuple[bytes, float]:
    began = time.perf_counter()
    try:
        response = HttpClient(url, MAX_RESPONSE_BYTES).send(HttpRequest("GET", path), RESPONSE_TIMEOUT_S)
    except (OSError, ResponseTooLarge) as error:
        raise CheckFailed(f"{path}: {error}") from error
    if response.status != 200:
        raise CheckFailed(f"{path} answers {response.status}")
    return response.body, (time.perf_counter() - began) * 1000


def is_ready(url: str) -> bool:
    try:
        _fetch(url, "/readyz")
    except CheckFailed:
        return False
    return True
