"""Words of a large new version, written by a process of their own while its documents are still coming."""

import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reelrank.app.engines.embedded.derived import DerivedIndexes
from reelrank.app.engines.embedded.store.database import Database

MIN_BACKGROUND_DOCUMENTS = 20_000
"""Documents; fewer are words in less time than a process takes to begin. Not a thread: it would ask for
Python's lock at every document, and 100,000 took 13 s so, with a process 8 s (2 cores)."""
POLL_S = 0.05
ALL_WRITTEN = b"all"


class TextIndexer:
    """At most one process for each version that this engine object writes. Opens nothing until it is used.

    The process ends by itself, and leaves nothing, when its parent does before the version is whole. Its
    group is its own: a Ctrl-C is for the parent.
    """

    def __init__(self, derived: DerivedIndexes) -> None:
        self.derived = derived
        self._written: dict[str, int] = {}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def record_written(self, version: str, documents: int) -> None:
        """Begins with the words of a version when so much is written that it is a large one."""
        written = self._written.get(version, 0)
        self._written[version] = written + documents
        if written < MIN_BACKGROUND_DOCUMENTS <= written + documents:
            self._start(version)

    @contextmanager
    def finish(self, version: str) -> Iterator[None]:
        """All of a version is written: its words are when the block ends, and were made beside it."""
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
        """For a version that will not be made."""
        self._written.pop(version, None)
        process = self._processes.pop(version, None)
        if process is not None:
            _notify(process, b"")
            process.wait()

    def close(self) -> None:
        for version in list(self._processes):
            self.stop(version)

    def _start(self, version: str) -> None:
        command = [sys.executable, "-m", __name__, str(self.derived.directory), version]
        self._processes[version] = subprocess.Popen(command, stdin=subprocess.PIPE, process_group=0)


def _notify(process: subprocess.Popen[bytes], message: bytes) -> None:
    """Says it and nothing more; a process that is there no more has its work done by `cover`."""
    assert process.stdin is not None
    try:
        process.stdin.write(message)
        process.stdin.close()
    except BrokenPipeError:
        pass


def has_more() -> bool:
    """Whether the parent is still writing; waits a little. Raises SystemExit when it will never be done."""
    heard, _, _ = select.select([sys.stdin], [], [], POLL_S)
    if heard and sys.stdin.buffer.read() != ALL_WRITTEN:
        raise SystemExit(0)
    return not heard


def main(directory: str, version: str) -> None:
    DerivedIndexes(Database(Path(directory))).index_through(version, has_more=has_more)


if __name__ == "__main__":
    main(*sys.argv[1:])
