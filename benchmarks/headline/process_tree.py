"""A service as its operating system sees it: the processor time and the memory of all its processes."""

import os
import subprocess
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from reelrank.app.diagnostics.smoke_test import read_log_tail

TICKS = os.sysconf("SC_CLK_TCK")
PARENT, USER_TIME, SYSTEM_TIME = 1, 11, 12
"""Fields of /proc/PID/stat after the name of the program."""
READY_TIMEOUT_S, END_TIMEOUT_S = 120.0, 60.0


@dataclass(frozen=True, slots=True)
class ProcessTree:
    """A process and all that it started. pid: of the first."""

    pid: int

    def read_cpu_s(self) -> float:
        """Returns the processor seconds of the processes that run now, since each began."""
        stats = _read_stats()
        return sum(
            int(stats[pid][USER_TIME]) + int(stats[pid][SYSTEM_TIME]) for pid in self._list_pids(stats)
        ) / TICKS  # fmt: skip

    def read_memory_mib(self) -> float:
        """Returns the proportional set size: what is shared counts once."""
        return sum(_read_pss_kib(pid) for pid in self._list_pids(_read_stats())) / 1024

    def _list_pids(self, stats: Mapping[int, Sequence[str]]) -> list[int]:
        pids = [pid for pid in (self.pid,) if pid in stats]
        for pid in pids:  # grows while it is read
            pids += [child for child, fields in stats.items() if int(fields[PARENT]) == pid]
        return pids


@contextmanager
def run_pinned(
    command: Sequence[str], settings: Mapping[str, str], log_path: Path, cores: Collection[int]
) -> Iterator[ProcessTree]:
    """Runs a service until the block ends. cores: those that it may use."""
    environment = os.environ | {f"REELRANK_{name}": value for name, value in settings.items()}
    with log_path.open("wb") as log, use_cores(cores):  # a new process has the cores of its parent
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        yield ProcessTree(process.pid)
    except Exception:
        print(f"the end of the log of the service:\n{read_log_tail(log_path)}", flush=True)
        raise
    finally:
        process.terminate()
        process.wait(END_TIMEOUT_S)


@contextmanager
def use_cores(cores: Collection[int]) -> Iterator[None]:
    """Runs this process on some cores while the block runs."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def run_to_end(command: Sequence[str], settings: Mapping[str, str]) -> float:
    """Runs a command; returns the processor seconds of all its processes. Raises CalledProcessError."""
    before = os.times()
    environment = os.environ | {f"REELRANK_{name}": value for name, value in settings.items()}
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def wait_for(is_true: Callable[[], bool], timeout_s: float = READY_TIMEOUT_S) -> float:
    """Returns the seconds until a function returned true. Raises TimeoutError."""
    began = time.monotonic()
    while not is_true():
        if time.monotonic() - began > timeout_s:
            raise TimeoutError(f"the service did not answer within {timeout_s:.0f} s")
        time.sleep(0.02)
    return time.monotonic() - began


def _read_stats() -> dict[int, list[str]]:
    """Returns the fields of each process after its name, by its id."""
    found: dict[int, list[str]] = {}
    for directory in Path("/proc").iterdir():
        try:
            if directory.name.isdecimal():
                stat = (directory / "stat").read_text()
                found[int(directory.name)] = stat.rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            continue
    return found


def _read_pss_kib(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
