"""`python -m benchmarks training-cost --demo DIR`: what a training run beside it costs the service.

One service answers requests at a fixed rate. In turns nothing trains, or `reelrank train` runs beside it: as
it is, with the lowest priority (nice), or only when a core is idle (SCHED_IDLE). A training is ended when its
turn is over, so none of them promotes anything.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks.markdown import format_table
from benchmarks.process_tree import ProcessTree
from benchmarks.request.load import RateResult, build_path, measure_rate
from benchmarks.request.project import open_demo_project
from reelrank.app.cli.serve import GUNICORN_COMMAND
from reelrank.app.diagnostics.smoke_test import find_free_port, run_service

Prefixes = Mapping[str, Sequence[str] | None]
PREFIXES: Prefixes = {
    "nothing": None,
    "train": (),
    "nice -n 19": ("nice", "-n", "19"),
    "chrt --idle 0": ("chrt", "--idle", "0"),
}
TRAIN = (sys.executable, "-m", "reelrank.app.cli", "train")
IMPORTS_S = 5.0
"""From the start of a training until it computes."""
HEAD = ("beside it", "p50 (ms)", "p99 (ms)", "failed", "degraded", "CPU ms a request")


def main(argv: Sequence[str]) -> int:
    """Prints a table; there is no limit: it depends on what else the machine does."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks training-cost", description=__doc__)
    parser.add_argument("--demo", type=Path, required=True, help="copy of a data directory of the demo")
    parser.add_argument("--rate", type=float, default=10.0, help="requests a second")
    parser.add_argument("--seconds", type=float, default=12.0, help="of each turn")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(argv)
    queries = open_demo_project(options.demo).build_queries(200)
    paths = [build_path(query) for pair in zip(*queries.values(), strict=True) for query in pair]
    prefixes = select_available(PREFIXES)
    found: dict[str, list[tuple[RateResult, float]]] = {name: [] for name in prefixes}
    with serve(options.demo) as (url, service):
        measure_rate(url, paths, options.rate, 3.0)
        for _ in range(options.rounds):
            for name, prefix in prefixes.items():
                with train_beside(prefix, options.demo):
                    before = service.read_cpu_s()
                    result = measure_rate(url, paths, options.rate, options.seconds)
                    spent = service.read_cpu_s() - before
                found[name].append((result, 1000 * spent / result.sent))
    print(format_table(HEAD, [format_row(name, results) for name, results in found.items()]), flush=True)
    return 0


def select_available(prefixes: Prefixes) -> Prefixes:
    """Leaves out, with a line, what needs a program that this machine does not have."""
    missing = [name for name, prefix in prefixes.items() if prefix and shutil.which(prefix[0]) is None]
    for name in missing:
        print(f"not measured: {name}; this machine has no such program", file=sys.stderr)
    return {name: prefix for name, prefix in prefixes.items() if name not in missing}


@contextmanager
def serve(data_dir: Path) -> Iterator[tuple[str, ProcessTree]]:
    """Runs a service of two workers on a data directory; yields its address and its processes."""
    port = find_free_port("127.0.0.1")
    os.environ.update(
        {"REELRANK_DATA_DIR": str(data_dir), "REELRANK_PORT": str(port), "REELRANK_WORKERS": "2"}
    )
    url = f"http://127.0.0.1:{port}"
    with run_service(GUNICORN_COMMAND, url, data_dir / "serve.log", 300.0) as pid:
        yield url, ProcessTree(pid)


@contextmanager
def train_beside(prefix: Sequence[str] | None, data_dir: Path) -> Iterator[None]:
    """Trains while the block runs, unless prefix is None. A line says when the training ended before it."""
    if prefix is None:
        yield
        return
    with (data_dir / "train.log").open("ab") as log:
        process = subprocess.Popen([*prefix, *TRAIN], stdout=log, stderr=log)
    time.sleep(IMPORTS_S)
    try:
        yield
    finally:
        if process.poll() is not None:
            print("a training was over before its turn", file=sys.stderr)
        process.terminate()
        process.wait(30)


def format_row(name: str, results: Sequence[tuple[RateResult, float]]) -> tuple[str, ...]:
    """Returns medians over the rounds, with the lowest and the highest round."""
    measured = zip(*((result.p50, result.p99, cpu) for result, cpu in results), strict=True)
    p50, p99, cpu = (f"{np.median(c):.1f} ({min(c):.1f} to {max(c):.1f})" for c in measured)
    failed, degraded = (sum(getattr(r, field) for r, _ in results) for field in ("failed", "degraded"))
    return name, p50, p99, str(failed), str(degraded), cpu
