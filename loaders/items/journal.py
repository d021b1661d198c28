"""The journal of a load: it records progress, so that a killed load resumes and writes no row twice."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import orjson
from filelock import FileLock, Timeout

from reelrank.index_mappings.errors import Conflict
from reelrank.loaders.report import ValueCounts
from reelrank.ranking.durable import write_file


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """Progress of one load: everything up to `row` of file index `file` is written or rejected.

    key: `ItemLoad.key`. version: the new index version. rejects, rejects_size: path of the reject file,
    and its size in bytes at this entry. values: counts of the values of optional fields.
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
    values: Mapping[str, ValueCounts] = field(default_factory=dict)


class Journal:
    """Stores the entry of the one load of items that may run at a time."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "items.json"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Excludes other loads in this and other processes; released with the process. Raises Conflict."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.path.parent / "items.lock", timeout=0)
        try:
            lock.acquire()
        except Timeout as error:
            raise Conflict(
                f"another load of items is running (lock {lock.lock_file}); wait until it ends",
                code="job_running",
            ) from error
        try:
            yield
        finally:
            lock.release()

    def read_entry(self) -> JournalEntry | None:
        """Returns the entry of an unfinished load; None when there is none or it cannot be read."""
        try:
            content = orjson.loads(self.path.read_bytes())
            values = {name: ValueCounts(**counts) for name, counts in content.pop("values", {}).items()}
            return JournalEntry(**content, values=values)
        except (FileNotFoundError, ValueError, TypeError, AttributeError):
            return None

    def write_entry(self, entry: JournalEntry) -> None:
        """Replaces the entry atomically; the new one is durable when this returns."""
        write_file(self.path, orjson.dumps(asdict(entry)))

    def clear(self) -> None:
        """Deletes the entry: the load has ended."""
        self.path.unlink(missing_ok=True)
