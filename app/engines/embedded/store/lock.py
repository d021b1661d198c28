"""File locks: one holder at a time among threads and processes; a lock ends with its process."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from reelrank.index_mappings.errors import Conflict

POLL_S = 0.01


@contextmanager
def acquire_lock(path: Path, wait_s: float) -> Iterator[None]:
    """Holds the lock of this file. Raises Conflict when it is not free within `wait_s` seconds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, timeout=wait_s, poll_interval=POLL_S)
    try:
        lock.acquire()
    except Timeout as error:
        raise Conflict(
            f"another thread or process holds {path}; try again when it is done", code="lock_held"
        ) from error
    try:
        yield
    finally:
        lock.release()
