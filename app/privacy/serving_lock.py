"""Says whether workers serve a data directory: each holds the lock of a file of its own until it ends."""

import os
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

FOLDER = "workers"
_held: list[FileLock] = []
"""Locked until the process ends."""


def hold_serving_lock(data_dir: Path) -> None:
    """Takes a lock for the life of this process. A read-only directory has none."""
    with suppress(OSError):
        folder = data_dir / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        is_served(data_dir)  # removes the files of workers that ended
        lock = FileLock(folder / f"{os.getpid()}.lock", timeout=0, is_singleton=False)
        lock.acquire()
        _held.append(lock)


def is_served(data_dir: Path) -> bool:
    """Returns whether a worker of this machine serves the directory; removes files of those that ended."""
    found = False
    for path in (data_dir / FOLDER).glob("*.lock"):
        try:
            with FileLock(path, timeout=0, is_singleton=False):
                path.unlink(missing_ok=True)
        except Timeout:
            found = True
        except OSError:
            continue
    return found
