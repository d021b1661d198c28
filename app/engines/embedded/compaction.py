"""Compaction: a low-priority process merges live changes into a new segment."""

import os
import subprocess
import sys
from pathlib import Path

from reelrank.app.engines.embedded.derived import DerivedIndexes
from reelrank.app.engines.embedded.store.database import Database
from reelrank.index_mappings.errors import Conflict

NICENESS = 10


class Compactor:
    """Runs at most one compaction per engine object; the segment lock excludes other processes."""

    def __init__(self, derived: DerivedIndexes) -> None:
        self.derived = derived
        self._process: subprocess.Popen[bytes] | None = None

    def start_if_needed(self, version: str) -> None:
        if self._is_running() or not self.derived.needs_compaction(version):
            return
        command = [sys.executable, "-P", "-m", __name__, str(self.derived.directory), version]
        self._process = subprocess.Popen(command, process_group=0)  # Ctrl-C is for the parent

    def wait(self) -> None:
        """Waits for the running compaction, if any."""
        if self._process is not None:
            self._process.wait()

    def _is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None


def main(directory: str, version: str) -> None:
    os.nice(NICENESS)
    try:
        DerivedIndexes(Database(Path(directory))).compact(version, wait_s=0)
    except Conflict:
        return  # another process is compacting; the next compaction takes the changes since


if __name__ == "__main__":
    main(*sys.argv[1:])
