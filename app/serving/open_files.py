"""How many connections a worker may have, by the limit of files that a process may open.

Without it, a worker at its limit would accept connections and fail each request, also those of probes.
"""

import resource
import sys

from reelrank.ranking.retrieval.source_names import SOURCES

CONNECTIONS, LEAST_CONNECTIONS = 1000, 32
"""Of one worker: gunicorn's default, and what a browser with a few tabs and a probe open."""
IDLE_FILES = 128
"""An idle worker on the demo has 117 open: index segments, tables, databases, sockets."""
FILES_PER_THREAD = 3
"""A thread that reads SQLite has the database, its log and its shared memory open."""
USAGE_EXIT_CODE = 2


def count_own_files(threads: int) -> int:
    """Returns how many files a worker opens besides its connections."""
    return IDLE_FILES + FILES_PER_THREAD * (threads * (len(SOURCES) + 1) + 8)


def fit_connections(threads: int) -> tuple[int, str]:
    """Raises the soft limit of this process, which workers inherit, as far as it may and must go.

    Returns the most connections of a worker, and a warning when they are fewer than CONNECTIONS.
    """
    own = count_own_files(threads)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = own + CONNECTIONS
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return CONNECTIONS, ""
    connections = max(0, soft - own)
    message = (
        f"a process may open {soft} files, of which a worker needs {own} for itself: at most {connections} "
        f"connections at a time for each worker; raise the limit to {wanted} (ulimit -n)"
    )
    return connections, message


def report_few_files(connections: int, warning: str) -> None:
    """Prints the warning of `fit_connections`. Ends the process where a worker could not answer anyone."""
    if connections < LEAST_CONNECTIONS:
        print(f"error: {warning}", file=sys.stderr)  # noqa: T201  # gunicorn has no log yet
        sys.exit(USAGE_EXIT_CODE)
    if warning:
        print(f"warning: {warning}", file=sys.stderr)  # noqa: T201
