"""`python -m benchmarks NAME`: one benchmark by name, or `all` that need no server.

Each has options of its own: `python -m benchmarks NAME --help`.
"""

import argparse
import sys
import time
from collections.abc import Sequence

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
STANDALONE = ("engine", "request", "hop", "quality")
"""Run by `all`; the servers' needs a server. Quality comes last: it ends with what it could not measure."""
EXIT_MESSAGES = {
    0: "no limit was missed; what falls short of an aim is said below its table",
    1: "a LIMIT WAS MISSED",
    2: "NOT MEASURED, for the reason above",
}


def main() -> int:
    """The worst exit code of what was run: 1 when a limit or a goal was missed, 2 for nothing measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", choices=["all", *BENCHMARKS])
    name = parser.parse_args(sys.argv[1:2]).name
    return _run_all(sys.argv[2:]) if name == "all" else BENCHMARKS[name](sys.argv[2:])


def _run_all(arguments: Sequence[str]) -> int:
    """Each, whatever came of the one before; then a line for each."""
    codes, lines = [], []
    for name in STANDALONE:
        began = time.monotonic()
        codes.append(BENCHMARKS[name](arguments))
        lines.append(f"{name}: {EXIT_MESSAGES[codes[-1]]} ({time.monotonic() - began:.0f} s)")
    print("\n".join(lines), flush=True)
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
