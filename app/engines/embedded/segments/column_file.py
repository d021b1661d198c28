"""Many arrays in one file, mapped into memory as one: a segment then costs a process one open file."""

import mmap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ALIGNMENT = mmap.ALLOCATIONGRANULARITY
ArrayLayout = tuple[str, list[int], int]
"""An array's type, shape and the byte that it begins at."""


class ColumnFile:
    """Written once: `store` gives arrays of zeros that lie in the file. `places` is for whoever reads it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.layouts: dict[str, ArrayLayout] = {}
        path.touch(exist_ok=False)

    def allocate(self, name: str, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
        begin = -(-self.path.stat().st_size // ALIGNMENT) * ALIGNMENT
        kind = np.dtype(dtype)
        self.layouts[name] = (kind.str, list(shape), begin)
        size = int(np.prod(shape)) * kind.itemsize
        if not size:
            return np.zeros(shape, kind)
        with self.path.open("r+b") as file:
            file.truncate(begin + size)
            mapped = mmap.mmap(file.fileno(), size, offset=begin)
        return np.frombuffer(mapped, kind).reshape(shape)


def read_columns(path: Path, layouts: Mapping[str, ArrayLayout]) -> dict[str, NDArray[Any]]:
    """The arrays of a file, mapped and never writable. Raises OSError, ValueError when they are not there."""
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if path.stat().st_size else b""
    return {
        name: np.frombuffer(mapped, kind, int(np.prod(shape)), begin).reshape(shape)
        if np.prod(shape)
        else np.empty(shape, kind)
        for name, (kind, shape, begin) in layouts.items()
    }
