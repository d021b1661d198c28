"""The journal of a load: how far it got, so that one that was killed goes on and nothing is doubled."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson
from filelock import FileLock, Timeout

from reelrank.index_mappings.errors import Conflict
from reelrank.ranking.durable import write_file


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """key: what is loaded and how, hashed. file, row: the last row that is accounted for.

    rejects_size: bytes of the file of rejects that are accounted for.
    """

    key: str
    version: str
    rejects: str
    file: int = 0
    row: int = 0
    read: int = 0
    written: int = 0
    rejected: int = 0
    rejects_size: int = 0


class Journal:
    """One entry at a time in a directory: one load at a time is under way."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "items.json"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Excludes other loads, in this process and others; ends with the process. Raises Conflict."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.path.parent / "items.lock", timeout=0)
        try:
            lock.acquire()
        except Timeout as error:
            raise Conflict(
                f"another load of items is under way in {self.path.parent}; wait for it"
            ) from error
        try:
            yield
        finally:
            lock.release()

    def read_entry(self) -> JournalEntry | None:
        """What a load that did not end left; None when there is none, or none that can be read."""
        try:
            return JournalEntry(**orjson.loads(self.path.read_bytes()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def write_entry(self, entry: JournalEntry) -> None:
        """Durable when it returns: the whole entry or the one before."""
        write_file(self.path, orjson.dumps(asdict(entry)))

    def clear(self) -> None:
        self.path.unlink(missing_ok=True)
