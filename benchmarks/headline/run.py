"""`python -m benchmarks headline`: what users meet: the default install, real viewers, whole requests.

Makes an environment as `make run` does and copies the demo that `make run` made. Sends home pages of its own
viewers and searches by them, by the clock, from another process. Processor time is that of all processes of
the service.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import urllib3

from benchmarks.headline.commands import run_pinned, run_to_end, use_cores, wait_for
from benchmarks.headline.costs import measure_costs
from benchmarks.headline.goals import P99_GOAL_MS, format_headline, format_stages, list_missed
from benchmarks.headline.history import History, draw_history
from benchmarks.headline.install import Install, make_install
from benchmarks.machine import describe_machine, describe_run
from benchmarks.process_tree import ProcessTree
from benchmarks.request.load import measure_rate
from reelrank.app.diagnostics.smoke_test import find_free_port
from reelrank.app.settings import Settings
from reelrank.app.wiring import build_container

RESULTS = Path(__file__).parent.parent / "results"
RATES, SMALL_RATES = (10, 20, 30, 40, 60, 80, 100, 120), (5, 10)
SECONDS, SMALL_SECONDS = 20.0, 3.0
ROUNDS, SMALL_ROUNDS = 300, 20
VIEWERS = 400
MAX_LATENESS = 3.0
"""A rate whose p99 is so many times the limit ends the curve: higher ones only fill the queue."""
Figures = dict[str, Any]


def main(arguments: Sequence[str]) -> int:
    """Returns 1 if a request at the lowest rate or all of a kind failed, 2 without a demo, else 0."""
    options = _build_parser().parse_args(arguments)
    if not (options.demo / "releases").is_dir():
        print(f"headline: {options.demo} holds no demo; `make run CHECK=1` makes one", file=sys.stderr)
        return 2
    began, at_start = time.monotonic(), describe_machine()
    with tempfile.TemporaryDirectory(prefix="reelrank-headline-") as temporary:
        data_dir = Path(temporary) / "data"
        shutil.copytree(options.demo, data_dir)
        _report_progress("drawing viewers from the history")
        history = _draw_viewers(data_dir)
        install = _find_install(options, Path(temporary))
        figures = Measurement(install, data_dir, history, options.small).measure()
    at = datetime.now(UTC).isoformat(timespec="seconds")
    figures |= {"command": "python -m benchmarks headline", "at": at, "machine": at_start}
    figures |= {"load_at_end": describe_machine()["load"], "took_s": round(time.monotonic() - began)}
    print(
        f"\n{format_headline(figures)}\n\n{format_stages(figures)}\n\n{describe_run(figures)}\n", flush=True
    )
    if not options.small:
        print("\n".join(list_missed(figures)), flush=True)
        (RESULTS / "headline.json").write_text(json.dumps(figures, indent=1) + "\n")
    return int(_has_failed(figures))


@dataclass(frozen=True, slots=True)
class Measurement:
    """One install on one copy of the demo. is_small: a look that judges nothing."""

    install: Install
    data_dir: Path
    history: History
    is_small: bool

    def measure(self) -> Figures:
        cores = sorted(os.sched_getaffinity(0))
        rates: Figures = {}
        with self._serve(1, cores[:1]) as (url, service, start), use_cores(cores[1:] or cores):
            _report_progress("processor time of each kind of request")
            rounds = SMALL_ROUNDS if self.is_small else ROUNDS
            costs = [asdict(cost) for cost in measure_costs(url, self.history, service, rounds)]
            rates["1 worker on one core, the client on another"] = self._measure_rates(url)
        with self._serve(2, cores) as (url, service, _):
            rates[f"2 workers and the client on {len(cores)} cores"] = self._measure_rates(url)
            memory = service.read_memory_mib()
        figures = {"rates": rates, "costs": costs, "start": start, "memory_mib": round(memory, 1)}
        figures["version_s"] = round(self.install.measure_version_s(), 3)
        if not self.is_small:
            _report_progress("training")
            settings = {"DATA_DIR": str(self.data_dir)}
            figures["training_cpu_s"] = round(run_to_end((self.install.command, "train"), settings), 1)
        return figures

    @contextmanager
    def _serve(self, workers: int, cores: Sequence[int]) -> Iterator[tuple[str, ProcessTree, Figures]]:
        """Runs the installed service; yields its address, its processes, and what its start took."""
        port = find_free_port("127.0.0.1")
        url, settings = f"http://127.0.0.1:{port}", {"DATA_DIR": str(self.data_dir), "PORT": str(port)}
        command = (self.install.command, "serve", "--workers", str(workers))
        _report_progress(f"starting a service of {workers} worker{'s' * (workers > 1)}")
        with run_pinned(command, settings, self.data_dir / "serve.log", cores) as service:
            seconds = wait_for(lambda: _is_answered(url + self.history.list_homes()[0]))
            start = {"seconds": round(seconds, 2), "cpu_s": round(service.read_cpu_s(), 2)}
            yield url, service, start

    def _measure_rates(self, url: str) -> list[Figures]:
        """Sends home pages and searches in turn, at rising rates, by the clock."""
        homes, searches = self.history.list_homes(), self.history.list_searches()
        paths = [path for pair in zip(homes, searches, strict=True) for path in pair]
        seconds, curve = (SMALL_SECONDS if self.is_small else SECONDS), list[Figures]()
        measure_rate(url, paths, 5, 4.0)  # the first requests are slow
        for rate in SMALL_RATES if self.is_small else RATES:
            _report_progress(f"{rate} requests a second")
            curve.append(asdict(measure_rate(url, paths, rate, seconds)))
            if curve[-1]["p99"] > MAX_LATENESS * P99_GOAL_MS:
                break
        return curve


def _find_install(options: argparse.Namespace, directory: Path) -> Install:
    """Makes a new install, unless one is named; a small look takes the environment that runs it."""
    if options.install or options.small:
        return Install(options.install or Path(sys.prefix))
    _report_progress("making the default install")
    return make_install(directory)


def _draw_viewers(data_dir: Path) -> History:
    container = build_container(Settings(data_dir=data_dir))
    with closing(container.engine):
        return draw_history(container, VIEWERS)


def _has_failed(figures: Figures) -> bool:
    is_rate_failed = any(curve[0]["failed"] for curve in figures["rates"].values())
    return is_rate_failed or any(cost["failed"] == cost["sent"] for cost in figures["costs"])


def _is_answered(url: str) -> bool:
    try:
        return urllib3.request("GET", url, timeout=5.0, retries=False).status == 200
    except urllib3.exceptions.HTTPError:
        return False


def _report_progress(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks headline", description=__doc__)
    parser.add_argument("--demo", type=Path, default=Path("reelrank-data"), help="data directory of a demo")
    parser.add_argument(
        "--install", type=Path, help="an environment that `make run` made, instead of a new one"
    )
    parser.add_argument("--small", action="store_true", help="few requests, no install; nothing is stored")
    return parser
