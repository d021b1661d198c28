"""The real service for tests: `reelrank serve` as a process of its own, on a free loopback port."""

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

from app.settings import Settings

READY_S = 180.0
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
class Served:
    """Started by `serve`; `log` is what it printed so far."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path
    http: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(maxsize=16, retries=False))

    def get(self, path: str) -> Answer:
        return self.ask("GET", path)

    def post(self, path: str, body: object) -> Answer:
        return self.ask("POST", path, orjson.dumps(body))

    def ask(
        self, method: str, path: str, body: bytes | None = None, kind: str = "application/json"
    ) -> Answer:
        headers = {} if body is None else {"Content-Type": kind}
        answer = self.http.request(method, self.url + path, body=body, headers=headers, timeout=30.0)
        return Answer(answer.status, answer.headers, answer.data)

    def stop(self, how: int = signal.SIGTERM) -> int:
        """Its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(timeout=30)


def serve(data_dir: Path, ready: bool = True, **settings: object) -> Served:
    """ready: wait until it can answer; otherwise until it listens. A free port unless settings name one."""
    port = settings.setdefault("port", free_port())
    stated = {"data_dir": data_dir, "workers": 2, "deadline_ms": 5000, **settings}
    environment = os.environ | {f"REELRANK_{name.upper()}": str(value) for name, value in stated.items()}
    log = data_dir.parent / f"serve-{port}.log"
    command = [sys.executable, "-m", "app.cli", "serve"]
    with log.open("wb") as to:
        process = subprocess.Popen(command, stdout=to, stderr=to, env=environment)
    served = Served(f"http://127.0.0.1:{port}", process, log)
    _wait(served, "/readyz" if ready else "/livez")
    return served


def serve_house(house: Settings, **settings: object) -> Served:
    """A house where it was built; more settings go before its own."""
    on = house.model_dump(
        include={"engine", "engine_url", "engine_prefix", "engine_shards", "engine_replicas"}
    )
    return serve(house.data_dir, True, **(on | settings))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait(served: Served, path: str) -> None:
    until = time.monotonic() + READY_S
    while time.monotonic() < until and served.process.poll() is None:
        try:
            if served.get(path).status == 200:
                return
        except urllib3.exceptions.HTTPError:
            pass
        time.sleep(0.1)
    served.stop()
    raise AssertionError(f"not ready within {READY_S} s:\n{served.log.read_text()}")


class Clients:
    """So many threads that call `ask` with their number, again and again, until the block ends."""

    def __init__(self, service: Served, count: int) -> None:
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
            self.ask(number)

    def ask(self, number: int) -> None:
        raise NotImplementedError
