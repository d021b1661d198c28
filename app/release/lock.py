"""Lock files: one job of a kind at a time in a data directory."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from reelrank.index_mappings.errors import Conflict, Unavailable


@contextmanager
def acquire_job_lock(path: Path, wait_s: float, job: str) -> Iterator[None]:
    """Holds a lock file, which is released with the process. Raises Conflict when it stays taken."""
    lock = FileLock(path, timeout=wait_s)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise Conflict(
            f"{job} is already running in {path.parent}; wait until it ends, then try again",
            code="job_running",
        ) from error
    except OSError as error:
        raise Unavailable(
            f"{path} cannot be locked ({error}); check the directory's permissions", code="storage_failed"
        ) from error
    try:
        yield
    finally:
        lock.release()
