"""File locks: one holder at a time among threads and processes; a lock ends with its process."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reelrank.index_mappings.errors import Conflict

POLL_S = 0.01


@contextmanager
def acquire_lock(path: Path, wait_s: float) -> Iterator[None]:
    """Holds the lock of this file. Raises Conflict when another one holds it for `wait_s` seconds."""
    until = time.monotonic() + wait_s
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        while not _try_lock(file.fileno()):
            if time.monotonic() >= until:
                raise Conflict(f"another thread or process holds {path}; try again when it is done")
            time.sleep(POLL_S)
        yield


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
