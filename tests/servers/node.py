"""A real search engine node for tests. It ends with the process that started it."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
KINDS = ("elasticsearch-8", "elasticsearch-9", "opensearch-2", "opensearch-3")
OWN_URLS = {
    "elasticsearch": "REELRANK_TEST_ELASTICSEARCH_URL",
    "opensearch": "REELRANK_TEST_OPENSEARCH_URL",
}
"""Variables with the URL of a running server to test too."""
QUICK_JVM = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"""A node of a test lives for minutes: optimising its code costs as much processor time as all of its work."""
FIRST_START_S = 300.0
"""The first start of a kind downloads 40 to 80 MB of jars."""


def find_missing(kind: str) -> str | None:
    """Returns what this machine lacks to start a kind; None if it lacks nothing."""
    checked = subprocess.run(
        [HERE / "start", "check", kind], capture_output=True, text=True, check=False, timeout=60
    )
    return None if checked.returncode == 0 else checked.stderr.strip() or f"{kind} cannot be started here"


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], bool], timeout_s: float = 60) -> bool:
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.2)
    return False


class Node:
    """Starts at once; call `wait` until it answers. Its process ends when this one does."""

    def __init__(self, kind: str, home: Path, *settings: str, heap: str = "512m") -> None:
        self.kind = kind
        self.home = home
        self.port = find_free_port()
        self.settings = settings or ("discovery.type=single-node",)
        self.heap = heap
        home.mkdir(parents=True, exist_ok=True)
        self.log = home / "node.log"
        self.process = self._start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait(self, timeout_s: float = FIRST_START_S, status: str = "yellow", nodes: int = 1) -> "Node":
        """Waits until the node answers. Raises RuntimeError with the end of its log if it does not start.

        status, nodes: the least health status and number of nodes to wait for.
        """
        health = f"{self.url}/_cluster/health?wait_for_status={status}&wait_for_nodes=ge({nodes})&timeout=4s"
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            if self.process.poll() is not None:
                break
            with contextlib.suppress(urllib.error.URLError, OSError):
                urllib.request.urlopen(health, timeout=5)
                return self
            time.sleep(0.1)
        self.stop()
        raise RuntimeError(f"{self.kind} did not start:\n{self.log.read_text()[-3000:]}")

    def find_shard_directory(self, index_uuid: str, number: int) -> Path:
        """Returns the directory of a shard's files."""
        (folder,) = (self.home / "data").glob(f"**/indices/{index_uuid}/{number}")
        return folder

    def pause(self) -> None:
        os.kill(self.process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.process.pid, signal.SIGCONT)

    def kill(self) -> None:
        """Kills the process with SIGKILL."""
        self.process.kill()
        self.process.wait()

    def restart(self) -> "Node":
        """Starts again on the same files, after a kill."""
        self.process = self._start()
        return self

    def stop(self, keep_data: bool = False) -> None:
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.kill()
        if not keep_data and self.process.returncode == 0:
            shutil.rmtree(self.home / "data", ignore_errors=True)

    def _start(self) -> "subprocess.Popen[bytes]":
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [HERE / "start", self.kind, self.home, str(self.port), *self.settings],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env={"JDK_JAVA_OPTIONS": QUICK_JVM, **os.environ, "HEAP": self.heap},
            )
