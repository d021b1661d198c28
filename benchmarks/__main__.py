"""`python -m benchmarks NAME`: one benchmark, by name."""

import sys

from benchmarks.quality import run as quality
from benchmarks.servers import run as servers

BENCHMARKS = {"quality": quality.main, "servers": servers.main}


def main() -> int:
    name, *rest = sys.argv[1:] or [""]
    if name not in BENCHMARKS:
        print(f"name one of: {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    return BENCHMARKS[name](rest)


if __name__ == "__main__":
    sys.exit(main())
