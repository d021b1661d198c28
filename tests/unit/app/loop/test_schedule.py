"""The process that repeats the loop: it runs at once, again later, and outlives a run that fails."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from reelrank.app.loop.schedule import run_logged
from reelrank.index_mappings.errors import Unavailable

SCRIPT = """
from reelrank.app.loop.schedule import repeat

def run():
    print("run", flush=True)
    raise ValueError("this run fails, the next one comes")

repeat(run, 0.002)
"""


def test_a_run_that_fails_is_logged_and_ends_nothing() -> None:
    def fail() -> None:
        raise Unavailable("the engine is away", code="engine_unreachable")

    run_logged(fail)
    run_logged(lambda: 1 / 0)


@pytest.mark.slow
def test_the_process_runs_at_once_and_again_until_it_is_ended(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, cwd=tmp_path)
    assert process.stdout is not None
    with process.stdout:
        runs = (line for line in process.stdout if line == b"run\n")
        assert [next(runs), next(runs)] == [b"run\n"] * 2
        process.send_signal(signal.SIGTERM)
        process.wait(30)
