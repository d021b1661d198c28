"""Open-loop load: requests are sent at fixed times, and latency counts from the time each was due.

A client that waits for responses hides the queue before it (Tene, "How not to measure latency"). Requests go
to loopback only, with limits on rate and time.
"""

import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import urllib3

from reelrank.app.cli.serve import GUNICORN_COMMAND
from reelrank.app.diagnostics.smoke_test import find_free_port, read_log_tail, run_service
from reelrank.index_mappings.query import Query
from reelrank.ranking.policies.config import CandidateLimits

SENDERS = 64
ANSWER_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class RateResult:
    """Latencies in milliseconds. sent, failed, degraded: requests; failed: without status 200 in time."""

    rate: float
    sent: int
    failed: int
    degraded: int
    p50: float
    p95: float
    p99: float


def measure_load_curve(
    data_dir: Path, limits: CandidateLimits, paths: Sequence[str], rates: Sequence[float], seconds: float
) -> list[RateResult]:
    """Runs the service with one worker per core and measures each rate in turn, slowest first."""
    port = find_free_port("127.0.0.1")
    settings = {"DATA_DIR": str(data_dir), "PORT": str(port), "WORKERS": str(os.cpu_count() or 1),
                "DEADLINE_MS": "80"}  # fmt: skip
    settings |= {f"CAP_{source.upper()}": str(cap) for source, cap in asdict(limits).items()}
    os.environ.update({f"REELRANK_{name}": value for name, value in settings.items()})
    url = f"http://127.0.0.1:{port}"
    log = data_dir / "serve.log"
    with run_service(GUNICORN_COMMAND, url, log):
        measure_rate(url, paths, rates[0], 2.0)
        curve = [measure_rate(url, paths, rate, seconds) for rate in rates]
    if any(result.failed for result in curve):
        print(f"requests failed; the end of the log of the service:\n{read_log_tail(log)}", file=sys.stderr)
    return curve


def build_path(query: Query) -> str:
    """Returns the path of the API request for a query."""
    parameters = {"user": query.user or "", "limit": str(query.limit)} | (
        {"q": query.text} if query.text else {}
    )
    return f"/v1/{'search' if query.text else 'recommendations'}?{urlencode(parameters)}"


def measure_rate(url: str, paths: Sequence[str], rate: float, seconds: float) -> RateResult:
    """Sends requests to a service at a rate, for so many seconds."""
    count = max(round(rate * seconds), 10)
    begun = time.perf_counter() + 0.2
    intended = begun + np.arange(count) / rate
    latencies, failed, degraded = np.zeros(count), np.zeros(count, bool), np.zeros(count, bool)
    pool = urllib3.PoolManager(maxsize=SENDERS, retries=False)

    def send(index: int) -> None:
        time.sleep(max(intended[index] - time.perf_counter(), 0))
        try:
            answer = pool.request("GET", url + paths[index % len(paths)], timeout=ANSWER_TIMEOUT_S)
            failed[index], degraded[index] = answer.status != 200, b'"degraded":[]' not in answer.data
        except urllib3.exceptions.HTTPError:
            failed[index] = True
        latencies[index] = time.perf_counter() - intended[index]

    with ThreadPoolExecutor(SENDERS) as senders:
        list(senders.map(send, range(count)))
    p50, p95, p99 = (round(float(np.percentile(latencies, q)) * 1000, 1) for q in (50, 95, 99))
    return RateResult(rate, count, int(failed.sum()), int((degraded & ~failed).sum()), p50, p95, p99)


def find_sustained_rate(curve: Sequence[RateResult], p99_ms: float) -> float:
    """Returns the highest rate up to which p99 stays within the limit and no page fails or degrades, or 0."""
    sustained = 0.0
    for result in curve:
        if result.p99 > p99_ms or result.failed or result.degraded:
            break
        sustained = result.rate
    return sustained


def to_rows(curve: Sequence[RateResult]) -> list[dict[str, float]]:
    return [asdict(result) for result in curve]
