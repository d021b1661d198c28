"""`python -m benchmarks soak`: 24 simulated hours of viewers and of the loop, with faults on purpose.

A service of two workers with a simulated clock answers viewers; the loop runs every four simulated hours as a
process of its own. Workers are killed, the engine goes away, files cannot grow (as on a full disk) for the
service and for a run of the loop, and some events come six hours late. In the end each acknowledged event
must be in the event store and in the lake once, no page may mix two releases or be empty without saying why,
and the records of the loop must be complete. Training and verdicts are made up; all else is real.
"""

import argparse
import os
import random
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from resource import RLIM_INFINITY, RLIMIT_FSIZE, prlimit

import orjson

from benchmarks.loop_faults.faulty_service import FAULTY_APP, FLAG_VARIABLE
from benchmarks.loop_faults.made_up_project import make_project, open_project
from benchmarks.loop_faults.page_reader import list_pairs
from benchmarks.loop_faults.processes import call_in_child, list_children, prepare_processes
from benchmarks.loop_faults.soak_report import SoakRecord, SoakReport, check_outcome, run_loop_at
from benchmarks.loop_faults.soak_viewers import SoakViewers
from benchmarks.scale.simulated_service import find_start
from reelrank.app.cli.serve import GUNICORN_COMMAND
from reelrank.app.diagnostics.smoke_test import find_free_port, is_ready
from reelrank.index_mappings.event import HOUR_MS, MINUTE_MS

HOURS, LOOP_HOURS = 24, 4
KILL_HOURS, AWAY_HOURS, FULL_HOURS = (3, 10, 17), (6, 7, 19), (8, 13, 14)
FULL_LOOP_HOUR = 8
"""The run of the loop of this hour cannot write; the next one goes on with it."""
READY_S = 120.0
PAGES_PER_KILL = 20


@dataclass(slots=True)
class SoakService:
    """The service, and the faults that are made in it. made: how often, by name."""

    data_dir: Path
    url: str = ""
    process: subprocess.Popen[bytes] | None = None
    made: Counter[str] = field(default_factory=Counter)

    @property
    def flag(self) -> Path:
        return self.data_dir.parent / "away"

    def start(self) -> None:
        """Starts two workers, and waits until they answer."""
        port = find_free_port("127.0.0.1")
        self.url = f"http://127.0.0.1:{port}"
        settings = {
            "DATA_DIR": str(self.data_dir), "PORT": str(port), "CLOCK": "simulated", "WORKERS": "2",
            "DEADLINE_MS": "5000", "ANSWER_WITHIN_MS": "15000", "LOG_SHARE": "1", "REFRESH_MS": "100",
            "KEYS_REQUIRED": "0", "CONNECTIONS_PER_ADDRESS": "0",
        }  # fmt: skip
        environment = os.environ | {f"REELRANK_{name}": value for name, value in settings.items()}
        environment |= {FLAG_VARIABLE: str(self.flag), "OMP_NUM_THREADS": "1"}
        command = (*GUNICORN_COMMAND[:-1], FAULTY_APP)
        folder = Path(__file__).parents[2]
        with (self.data_dir.parent / "soak.log").open("wb") as log:
            self.process = subprocess.Popen(
                command, env=environment | {"PYTHONPATH": str(folder)}, stdout=log, stderr=log
            )
        self.wait()

    def wait(self) -> None:
        """Waits until the service is ready. Raises TimeoutError."""
        until = time.monotonic() + READY_S
        while not is_ready(self.url):
            if time.monotonic() > until:
                raise TimeoutError(f"the service was not ready after {READY_S:.0f} s")
            time.sleep(0.1)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(30)
            self.process.kill()

    def list_workers(self) -> list[int]:
        assert self.process is not None
        return list_children(self.process.pid)

    def kill_worker(self, rng: random.Random) -> None:
        if workers := self.list_workers():
            os.kill(rng.choice(workers), signal.SIGKILL)
            self.made["worker killed"] += 1

    @contextmanager
    def take_engine_away(self) -> Iterator[None]:
        self.flag.touch()
        self.made["engine away"] += 1
        try:
            yield
        finally:
            self.flag.unlink()

    @contextmanager
    def fill_disk(self) -> Iterator[None]:
        """Lets no file of the workers grow: writes fail as on a full disk."""
        self.made["disk full"] += 1
        limited = self.list_workers()
        for pid in limited:
            prlimit(pid, RLIMIT_FSIZE, (1, RLIM_INFINITY))
        try:
            yield
        finally:
            for pid in limited:
                with suppress(ProcessLookupError):
                    prlimit(pid, RLIMIT_FSIZE, (RLIM_INFINITY, RLIM_INFINITY))


def main(arguments: Sequence[str]) -> int:
    """Prints what happened. Returns 1 when anything was lost, mixed or left undone."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks soak", description=__doc__)
    parser.add_argument("--hours", type=int, default=HOURS, help="simulated hours; 9 have each fault once")
    parser.add_argument("--pages", type=int, default=60, help="pages in each simulated hour")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="reelrank-soak-") as directory:
        outcome = run_hours(Path(directory) / "data", options.hours, options.pages, options.seed)
    print(orjson.dumps(outcome.figures, option=orjson.OPT_INDENT_2).decode(), flush=True)
    return int(bool(outcome.problems))


def run_hours(data_dir: Path, hours: int, pages: int, seed: int) -> SoakReport:
    """Lives through simulated hours and returns what is left of them."""
    prepare_processes(__name__)
    call_in_child(make_project, data_dir)
    known = list_pairs(open_project(data_dir))
    service, rng = SoakService(data_dir), random.Random(seed)
    service.start()
    viewers, begin_ms, runs = SoakViewers(service.url, seed), find_start(1), list[str]()
    try:
        for hour in range(hours):
            hour_ms = begin_ms + hour * HOUR_MS
            if hour and hour % LOOP_HOURS == 0:
                runs += _run_loop(data_dir, hour, hour_ms)
            with _make_faults(service, hour):
                for number in range(pages):
                    if hour in KILL_HOURS and number in range(pages // 2, pages, PAGES_PER_KILL):
                        service.kill_worker(rng)
                    at_ms = hour_ms + number * (HOUR_MS // pages)
                    viewers.visit(at_ms, hour * pages + number)
                    viewers.send_due(at_ms)
                viewers.send_due(hour_ms + HOUR_MS - MINUTE_MS)
            service.wait()
        last_ms = begin_ms + hours * HOUR_MS
        viewers.send_rest(last_ms + 12 * HOUR_MS)
        runs += _run_loop(data_dir, hours, last_ms + HOUR_MS)
    finally:
        service.stop()
    return check_outcome(open_project(data_dir), SoakRecord(viewers, service.made, runs, known))


def _make_faults(service: SoakService, hour: int) -> AbstractContextManager[None]:
    if hour in AWAY_HOURS:
        return service.take_engine_away()
    return service.fill_disk() if hour in FULL_HOURS else nullcontext()


def _run_loop(data_dir: Path, hour: int, now_ms: int) -> list[str]:
    """Runs the loop in a process of its own until nothing is left to do; returns the outcomes."""
    found: list[str] = call_in_child(run_loop_at, data_dir, hour, now_ms, hour == FULL_LOOP_HOUR)
    return [f"{hour} h: {outcome}" for outcome in found]
