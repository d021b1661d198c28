"""Runs commands: a service on chosen cores, others to their end."""

import os
import subprocess
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.process_tree import ProcessTree
from reelrank.app.diagnostics.smoke_test import read_log_tail

READY_TIMEOUT_S, END_TIMEOUT_S = 120.0, 60.0


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
