"""Words and segment of a new version, made at the same time: the words by a process of their own."""

import subprocess
import sys
from pathlib import Path

from app.engines.embedded.database import Database
from app.engines.embedded.derived import Derived

APART_FROM = 20_000
"""Changes; fewer are words in less time than a process takes to begin. Not a thread: it would ask for
Python's lock at every document, and 100,000 took 13 s so, with a process 8 s (2 cores)."""


def make_ready(derived: Derived, version: str) -> None:
    """What the other process did not do, for whatever reason, is done here."""
    if derived.uncovered(version) >= APART_FROM:
        command = [sys.executable, "-m", __name__, str(derived.directory), version]
        with subprocess.Popen(command):
            derived.ready_segment(version)
    else:
        derived.ready_segment(version)
    derived.cover(version)


def main(directory: str, version: str) -> None:
    Derived(Database(Path(directory))).cover(version)


if __name__ == "__main__":
    main(*sys.argv[1:])
