"""What a feature is: a name, a group, the signals it reads, and a pure function of their columns."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from ranking.column import Column

Columns = Mapping[str, Column]

MISSING_STAYS = "NaN, which LightGBM sends its own way"
MISSING_IS_ZERO = "0"


@dataclass(frozen=True, slots=True)
class Feature:
    """derive: signal columns to values, NaN where missing, each by itself.

    A column is [n], or [1] where all candidates share the fact: no formula counts candidates by a column's
    length, sums over one, or writes into one. words: one line on what it tells.
    """

    name: str
    group: str
    reads: tuple[str, ...]
    words: str
    derive: Callable[[Columns], Column]
    missing: str = MISSING_STAYS


def as_observed(signal: str, group: str, words: str, missing: str = MISSING_STAYS) -> Feature:
    """A feature that is a signal as it was observed."""
    return Feature(signal, group, (signal,), words, lambda s: s[signal], missing)


def hashed_cross(first: Column, second: Column, buckets: int, seed: int) -> Column:
    """A bucket for each pair of whole numbers, of a power of two; NaN where either is missing.

    Multiplicative hashing (Knuth, TAOCP 3, 6.4) of the two codes; the same on every machine.
    """
    with np.errstate(invalid="ignore"):  # whatever a missing value becomes, it is missing again below
        one = first.astype(np.int64).view(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        other = second.astype(np.int64).view(np.uint64) * np.uint64(0xC2B2AE3D27D4EB4F)
    mixed = one ^ (other ^ np.uint64(seed))
    mixed *= np.uint64(0xFF51AFD7ED558CCD)
    mixed >>= np.uint64(33)
    bucket = mixed.astype(np.uint32)
    bucket &= np.uint32(buckets - 1)  # the remainder, in a tenth of a division's time
    column: Column = bucket.astype(np.float32)
    column += nan_where_missing(first + second)
    return column


def nan_where_missing(column: Column) -> Column:
    """To be added: 0, or NaN where the column is NaN or infinite. Half the time of a choice by `np.where`."""
    return column * np.float32(0)
