"""A real HAProxy with a configuration of deploy/haproxy, in front of real services."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import urllib3

from tests.running_service import ServiceProcess, find_free_port

HAPROXY = Path(__file__).parents[2] / "deploy" / "haproxy"
READY_S = 20.0


@dataclass(frozen=True, slots=True)
class HaproxyProcess:
    """served: what listens in front of the workers. stats_url: of its own page of counts."""

    served: ServiceProcess
    stats_url: str

    def count_answers(self) -> dict[str, int]:
        """Returns how many requests each server has answered with 2xx, by backend and server."""
        text = self.served.http.request("GET", f"{self.stats_url}/;csv").data.decode()
        head, *lines = (line.split(",") for line in text.strip().splitlines())
        column = head.index("hrsp_2xx")
        return {
            f"{line[0]}/{line[1]}": int(line[column] or 0) for line in lines if line[1].startswith("worker")
        }


@contextmanager
def run_haproxy(policy: str, workers: Sequence[ServiceProcess], folder: Path) -> Iterator[HaproxyProcess]:
    """Runs HAProxy with a policy in front of three workers until the block ends; skips without HAProxy."""
    program = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")
    if program is None and os.environ.get("REQUIRE_HAPROXY") == "1":
        pytest.fail("REQUIRE_HAPROXY=1, but haproxy is not installed: apt-get install haproxy")
    if program is None:
        pytest.skip("haproxy is not installed: apt-get install haproxy")
    port, stats = find_free_port(), find_free_port()
    addresses = {
        f"REELRANK_WORKER_{n}": worker.url.removeprefix("http://") for n, worker in enumerate(workers, 1)
    }
    environment = os.environ | addresses | {
        "REELRANK_AGGREGATOR": f"127.0.0.1:{port}", "REELRANK_STATS_PORT": str(stats)
    }  # fmt: skip
    files = ["-f", str(HAPROXY / "common.cfg"), "-f", str(HAPROXY / policy)]
    log = folder / "haproxy.log"
    with log.open("wb") as output:
        process = subprocess.Popen([program, "-db", *files], stderr=output, stdout=output, env=environment)
    served = ServiceProcess(f"http://127.0.0.1:{port}", process, log)
    try:
        wait_until(lambda: served.get("/readyz").status == 200, log)
        yield HaproxyProcess(served, f"http://127.0.0.1:{stats}")
    finally:
        served.stop(signal.SIGKILL)


def wait_until(condition: Callable[[], bool], log: Path) -> None:
    """Waits for READY_S at most. Raises AssertionError with the log."""
    until = time.monotonic() + READY_S
    while time.monotonic() < until:
        try:
            if condition():
                return
        except urllib3.exceptions.HTTPError:
            pass
        time.sleep(0.05)
    raise AssertionError(log.read_text())
