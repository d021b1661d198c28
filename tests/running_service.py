"""The real service for tests: `reelrank serve` in a separate process, on a free loopback port."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import orjson
import urllib3

from reelrank.app.settings import Settings

READY_TIMEOUT_S = 180.0
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: urllib3.HTTPHeaderDict
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


@dataclass(slots=True)
class ServiceProcess:
    """A running service. log: the file with its output."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path
    http: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(maxsize=16, retries=False))

    def get(self, path: str) -> Answer:
        return self.request("GET", path)

    def post(self, path: str, body: object) -> Answer:
        return self.request("POST", path, orjson.dumps(body))

    def request(
        self, method: str, path: str, body: bytes | None = None, content_type: str = "application/json"
    ) -> Answer:
        headers = {} if body is None else {"Content-Type": content_type}
        answer = self.http.request(method, self.url + path, body=body, headers=headers, timeout=30.0)
        return Answer(answer.status, answer.headers, answer.data)

    def send(self, method: str, path: str, body: object) -> Answer:
        return self.request(method, path, None if body is None else orjson.dumps(body))

    def send_bytes(self, request: bytes) -> tuple[str, str]:
        """Sends bytes as they are and returns the head and the body of the answer."""
        address = urllib3.util.parse_url(self.url)
        with socket.create_connection((address.host, address.port or 80), timeout=10) as connection:
            connection.sendall(request)
            answer = connection.recv(65_536).decode("latin-1")
        head, _, body = answer.partition("\r\n\r\n")
        return head, body

    def stop(self, signal_number: int = signal.SIGTERM) -> int:
        """Stops the service and returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal_number)
        return self.process.wait(timeout=30)


def start_service(data_dir: Path, wait_ready: bool = True, **settings: object) -> ServiceProcess:
    """Starts a service, on a free port by default. wait_ready: until it can answer, else until it listens."""
    port = settings.setdefault("port", find_free_port())
    stated = {"data_dir": data_dir, "workers": 2, "deadline_ms": 5000, "answer_within_ms": 30_000, **settings}
    environment = os.environ | {f"REELRANK_{name.upper()}": str(value) for name, value in stated.items()}
    log = data_dir.parent / f"serve-{port}.log"
    command = [sys.executable, "-m", "reelrank.app.cli", "serve"]
    with log.open("wb") as to:
        process = subprocess.Popen(command, stdout=to, stderr=to, env=environment)
    served = ServiceProcess(f"http://127.0.0.1:{port}", process, log)
    wait_for_status(served, "/readyz" if wait_ready else "/livez")
    return served


def start_project_service(project: Settings, **settings: object) -> ServiceProcess:
    """Starts a service on a project; the given settings win over the project's."""
    own = project.model_dump(
        include={"engine", "engine_url", "engine_prefix", "engine_shards", "engine_replicas"}
    )
    return start_service(project.data_dir, True, **(own | settings))


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for_status(service: ServiceProcess, path: str) -> None:
    until = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < until and service.process.poll() is None:
        try:
            if service.get(path).status == 200:
                return
        except urllib3.exceptions.HTTPError:
            pass
        time.sleep(0.1)
    service.stop()
    raise AssertionError(f"not ready within {READY_TIMEOUT_S} s:\n{service.log.read_text()}")


class Clients:
    """Threads that call `send_request` with their number, again and again, until the block ends."""

    def __init__(self, service: ServiceProcess, count: int) -> None:
        self.service = service
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(count)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _run(self, number: int) -> None:
        while not self._stopped.is_set():
            self.send_request(number)

    def send_request(self, number: int) -> None:
        raise NotImplementedError
