"""`python -m benchmarks memory`: memory, threads and open files of a worker over many requests with reloads.

One worker of a copied demo answers searches, home pages, suggestions and events. Again and again another
model is promoted, which the worker loads. The first requests, which fill caches, do not count.
"""

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import urllib3

from benchmarks.process_tree import Footprint, ProcessTree
from reelrank.app.cli.serve import GUNICORN_COMMAND
from reelrank.app.diagnostics.smoke_test import find_free_port, run_service
from reelrank.app.settings import Settings
from reelrank.app.wiring import build_container

CLIENTS = 2
READY_TIMEOUT_S = 300.0
MAX_GROWTH = 1.05
WARM_SHARE = 0.1
WORDS = ("love", "war", "star", "night", "king", "city", "dark", "house", "summer", "last")


def main(arguments: Sequence[str]) -> int:
    """Prints the footprint as requests are answered. Returns 1 if memory grew by more than 5 %."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks memory", description=__doc__)
    parser.add_argument("--demo", type=Path, required=True, help="data directory of a demo; it is copied")
    parser.add_argument("--requests", type=int, default=50_000, help="requests in all")
    parser.add_argument("--minutes", type=float, default=60, help="most minutes")
    parser.add_argument("--reload-every", type=int, default=2500, help="requests between two promotions")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="reelrank-memory-") as directory:
        data_dir, port = Path(directory) / "data", find_free_port("127.0.0.1")
        shutil.copytree(options.demo, data_dir)
        os.environ |= {
            "REELRANK_DATA_DIR": str(data_dir), "REELRANK_PORT": str(port), "REELRANK_WORKERS": "1",
            "REELRANK_CONNECTIONS_PER_ADDRESS": "0", "OMP_NUM_THREADS": "1", "REELRANK_DEADLINE_MS": "2000",
            "REELRANK_ANSWER_WITHIN_MS": "20000", "REELRANK_CURSOR_MINUTES": "1",
        }  # fmt: skip
        models = [version.id for version in build_container(Settings()).registry.versions()]
        url = f"http://127.0.0.1:{port}"
        with run_service(GUNICORN_COMMAND, url, Path(directory) / "serve.log", READY_TIMEOUT_S) as pid:
            return _measure(url, ProcessTree(pid), [*models[:1], "engine-order"], options)


def _measure(url: str, service: ProcessTree, models: Sequence[str], options: argparse.Namespace) -> int:
    http = urllib3.PoolManager(maxsize=CLIENTS, retries=False)
    footprints, until, done = list[Footprint](), time.monotonic() + options.minutes * 60, 0
    statuses: dict[int, int] = {}
    print("| requests | memory MB | threads | open files |\n|---|---|---|---|", flush=True)
    with ThreadPoolExecutor(CLIENTS) as clients:
        while done < options.requests and time.monotonic() < until:
            numbers = range(done, done + options.reload_every)
            for status in clients.map(lambda number: _send(http, url, number), numbers):
                statuses[status] = statuses.get(status, 0) + 1
            done += len(numbers)
            promoted = models[len(footprints) % len(models)]
            answer = http.request("POST", f"{url}/v1/models/{promoted}:promote", timeout=60.0)
            if answer.status != 200:
                raise RuntimeError(f"{promoted} is not promoted: {answer.data[:300]!r}")
            footprints.append(service.read_footprint())
            last = footprints[-1]
            print(f"| {done:,} | {last.resident_mib:.0f} | {last.threads} | {last.files} |", flush=True)
    first = footprints[int(len(footprints) * WARM_SHARE)]
    growth = footprints[-1].resident_mib / first.resident_mib
    print(f"\n{done:,} requests, {len(footprints)} reloads, statuses {statuses}")
    print(f"memory {growth:.3f} times that after {WARM_SHARE:.0%} of the requests")
    return int(growth > MAX_GROWTH)


def _send(http: urllib3.PoolManager, url: str, number: int) -> int:
    """Sends one request of the mix; returns its status, 0 without an answer."""
    viewer, word = f"viewer-{number % 700}", WORDS[number % len(WORDS)]
    event = {"kind": "watch", "user": viewer, "item": f"item-{number % 100}"}
    mix = (
        ("GET", f"/v1/search?q={word}&user={viewer}", None),
        ("GET", f"/v1/recommendations?user={viewer}", None),
        ("GET", f"/v1/search?q={word}+{number % 97}&limit=5", None),
        ("POST", "/v1/events", event),
        ("GET", f"/v1/suggest?q={word[:3]}", None),
        ("GET", "/metrics", None),
    )
    method, path, body = mix[number % len(mix)]
    try:
        return http.request(method, url + path, json=body, timeout=30.0).status
    except urllib3.exceptions.HTTPError:
        return 0
