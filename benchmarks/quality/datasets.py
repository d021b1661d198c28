"""Where the data sets are. None is part of this project, and none is fetched without being asked for."""

import os
from pathlib import Path

VARIABLE = "REELRANK_BENCH_DATA"


class DatasetMissing(Exception):
    """A data set that is not there: where it was looked for, and what to do."""


def find_data_file(*parts: str) -> Path:
    """A file under the folder that the variable names. Raises Absent."""
    root = os.environ.get(VARIABLE)
    if not root:
        raise DatasetMissing(f"set {VARIABLE} to the folder that holds {parts[0]}/")
    path = Path(root, *parts)
    if not path.exists():
        raise DatasetMissing(f"there is no {path}; see docs/benchmarks.md for its source")
    return path
