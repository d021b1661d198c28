"""Text indexing of a large new version in a separate process while its documents are being written."""

import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reelrank.app.engines.embedded.derived import DerivedIndexes
from reelrank.app.engines.embedded.store.database import Database

MIN_BACKGROUND_DOCUMENTS = 20_000
"""Fewer documents are indexed faster than a process starts. A thread would compete for the interpreter lock:
100,000 documents took 13 s with a thread, 8 s with a process (2 cores)."""
POLL_S = 0.05
ALL_WRITTEN = b"all"


class TextIndexer:
    """Runs at most one process per version that this engine object writes. Opens nothing until used.

    The process ends by itself, and leaves nothing, if its parent ends before the version is complete. It has
    its own process group: Ctrl-C is for the parent.
    """

    def __init__(self, derived: DerivedIndexes) -> None:
        self.derived = derived
        self._written: dict[str, int] = {}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def record_written(self, version: str, documents: int) -> None:
        """Starts indexing a version once enough documents are written."""
        written = self._written.get(version, 0)
        self._written[version] = written + documents
        if written < MIN_BACKGROUND_DOCUMENTS <= written + documents:
            self._start(version)

    @contextmanager
    def finish(self, version: str) -> Iterator[None]:
        """Completes the text index of a fully written version while the block runs."""
        if (
            version not in self._processes
            and self.derived.count_unindexed(version) >= MIN_BACKGROUND_DOCUMENTS
        ):
            self._start(version)
        process = self._processes.pop(version, None)
        if process is not None:
            _notify(process, ALL_WRITTEN)
        try:
            yield
        finally:
            if process is not None:
                process.wait()
            self._written.pop(version, None)
        self.derived.index_through(version)

    def stop(self, version: str) -> None:
        """Stops indexing a version that is abandoned."""
        self._written.pop(version, None)
        process = self._processes.pop(version, None)
        if process is not None:
            _notify(process, b"")
            process.wait()

    def close(self) -> None:
        for version in list(self._processes):
            self.stop(version)

    def _start(self, version: str) -> None:
        command = [sys.executable, "-P", "-m", __name__, str(self.derived.directory), version]
        self._processes[version] = subprocess.Popen(command, stdin=subprocess.PIPE, process_group=0)


def _notify(process: subprocess.Popen[bytes], message: bytes) -> None:
    """Sends the last message. If the process has died, `index_through` completes its work."""
    assert process.stdin is not None
    try:
        process.stdin.write(message)
        process.stdin.close()
    except BrokenPipeError:
        pass


def has_more() -> bool:
    """Returns, after a short wait, whether the parent is still writing. Raises SystemExit if it gave up."""
    readable, _, _ = select.select([sys.stdin], [], [], POLL_S)
    if readable and sys.stdin.buffer.read() != ALL_WRITTEN:
        raise SystemExit(0)
    return not readable


def main(directory: str, version: str) -> None:
    DerivedIndexes(Database(Path(directory))).index_through(version, has_more=has_more)


if __name__ == "__main__":
    main(*sys.argv[1:])
