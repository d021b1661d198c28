"""Stores many arrays in one file that is mapped as a whole, so a segment costs a process one open file."""

import mmap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ALIGNMENT = mmap.ALLOCATIONGRANULARITY
ArrayLayout = tuple[str, list[int], int]
"""An array's dtype, its shape, and the offset of its first byte."""


class ColumnFile:
    """A file written once: `allocate` returns arrays of zeros in it. `read_columns` needs its layouts."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.layouts: dict[str, ArrayLayout] = {}
        path.touch(exist_ok=False)

    def allocate(self, name: str, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
        offset = -(-self.path.stat().st_size // ALIGNMENT) * ALIGNMENT
        element = np.dtype(dtype)
        self.layouts[name] = (element.str, list(shape), offset)
        size = int(np.prod(shape)) * element.itemsize
        if not size:
            return np.zeros(shape, element)
        with self.path.open("r+b") as file:
            file.truncate(offset + size)
            mapped = mmap.mmap(file.fileno(), size, offset=offset)
        return np.frombuffer(mapped, element).reshape(shape)


def read_columns(path: Path, layouts: Mapping[str, ArrayLayout]) -> dict[str, NDArray[Any]]:
    """Maps the arrays of a file, read-only. Raises OSError or ValueError if they are not there."""
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if path.stat().st_size else b""
    return {
        name: np.frombuffer(mapped, dtype, int(np.prod(shape)), offset).reshape(shape)
        if np.prod(shape)
        else np.empty(shape, dtype)
        for name, (dtype, shape, offset) in layouts.items()
    }
