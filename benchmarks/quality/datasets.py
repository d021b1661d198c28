"""Finds the data sets. They are not part of this project, and no benchmark downloads them."""

import os
from pathlib import Path

VARIABLE = "REELRANK_BENCH_DATA"


class DatasetMissing(Exception):
    """A data set was not found: where it was expected, and what to do."""


def find_data_file(*parts: str) -> Path:
    """Returns the path of a file in the folder that VARIABLE names. Raises DatasetMissing."""
    root = os.environ.get(VARIABLE)
    if not root:
        raise DatasetMissing(f"set {VARIABLE} to the folder that contains {parts[0]}/")
    path = Path(root, *parts)
    if not path.exists():
        raise DatasetMissing(f"{path} does not exist; see docs/benchmarks.md for its source")
    return path
