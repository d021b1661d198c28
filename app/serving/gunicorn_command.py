"""The command line of gunicorn, without the working directory on the import path."""

import ctypes
import os
import tempfile

from gunicorn.app.wsgiapp import WSGIApplication

METRICS_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
ARROW_ALLOCATOR, MAX_ARENAS = "ARROW_DEFAULT_MEMORY_POOL", "MALLOC_ARENA_MAX"
M_ARENA_MAX, ARENAS = -8, 2
"""The parameter of mallopt (malloc.h) for MALLOC_ARENA_MAX, which glibc reads before the program starts."""


class ServiceApplication(WSGIApplication):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn puts the working directory first on the import path, where a user's own modules would win."""

    def chdir(self) -> None:
        os.chdir(self.cfg.chdir)


def save_memory() -> None:
    """Lets all threads share two heaps, unless the environment states otherwise.

    Each thread of a worker would have a heap of its own, and Arrow another, which keep what is free again.
    """
    os.environ.setdefault(ARROW_ALLOCATOR, "system")
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc's
    if mallopt is not None and MAX_ARENAS not in os.environ:
        mallopt(M_ARENA_MAX, ARENAS)


def main() -> None:
    """Runs gunicorn.

    The workers share their metrics in a directory. prometheus_client decides at its import whether processes
    share metrics, and Arrow how it allocates; gunicorn's configuration imports both: so it is decided here.
    """
    save_memory()
    os.environ[METRICS_DIRECTORY] = tempfile.mkdtemp(prefix="reelrank-metrics-")
    ServiceApplication("%(prog)s [OPTIONS] [APP_MODULE]").run()


if __name__ == "__main__":
    main()
