"""Compaction: live changes are folded into a new segment by a process of its own, beside the serving ones."""

import os
import subprocess
import sys
from pathlib import Path

from reelrank.app.engines.embedded.derived import DerivedIndexes
from reelrank.app.engines.embedded.store.database import Database
from reelrank.index_mappings.errors import Conflict

NICENESS = 10


class Compactor:
    """At most one at a time for each engine object; other processes are kept out by the segments' lock."""

    def __init__(self, derived: DerivedIndexes) -> None:
        self.derived = derived
        self._process: subprocess.Popen[bytes] | None = None

    def start_if_needed(self, version: str) -> None:
        if self._is_running() or not self.derived.needs_compaction(version):
            return
        command = [sys.executable, "-m", __name__, str(self.derived.directory), version]
        self._process = subprocess.Popen(command, process_group=0)  # a Ctrl-C is for the parent

    def wait(self) -> None:
        """Until the one that was started is done."""
        if self._process is not None:
            self._process.wait()

    def _is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None


def main(directory: str, version: str) -> None:
    os.nice(NICENESS)
    try:
        DerivedIndexes(Database(Path(directory))).compact(version, wait_s=0)
    except Conflict:
        return  # Another one is at it; the changes after its segment are for the next compaction.


if __name__ == "__main__":
    main(*sys.argv[1:])
