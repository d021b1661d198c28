"""`python -m benchmarks NAME`: one benchmark by name, or `all` that need no server."""

import sys

from benchmarks import hop
from benchmarks.engine import run as engine
from benchmarks.quality import run as quality
from benchmarks.request import run as request
from benchmarks.servers import run as servers

BENCHMARKS = {
    "engine": engine.main,
    "request": request.main,
    "quality": quality.main,
    "servers": servers.main,
    "hop": hop.main,
}
NEED_NOTHING = ("engine", "quality")
"""Run by `all`; the servers' needs a server, and the hop writes nothing."""


def main() -> int:
    """The worst exit code of what was run: 1 when a limit or a goal was missed."""
    name, *rest = sys.argv[1:] or [""]
    if name == "all":
        return max([BENCHMARKS[each](rest) for each in NEED_NOTHING])
    if name not in BENCHMARKS:
        print(f"name one of: all, {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    return BENCHMARKS[name](rest)


if __name__ == "__main__":
    sys.exit(main())
