"""Histograms of feature values that can be added up: one for each partition, and one of a training set.

A value is counted under its upper 16 bits (bfloat16: sign, exponent, 7 bits of mantissa), so bins are
the same for every feature and partition, 0.4 to 0.8 % wide, and need no range to be known before.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from reelrank.ranking.durable import replace_file

BINS = 1 << 16
PROFILE_FILE = "profile.parquet"
"""Beside the manifest of a model: the features that it learned from."""


@dataclass(frozen=True, slots=True, eq=False)
class Histogram:
    """values [b] float32, ascending; counts [b]; missing: rows without a value (NaN)."""

    values: NDArray[np.float32]
    counts: NDArray[np.float64]
    missing: float = 0.0

    @property
    def total(self) -> float:
        return float(self.counts.sum() + self.missing)

    @property
    def missing_share(self) -> float:
        return self.missing / self.total if self.total else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """The features of some rows, by name. rows, requests, answered, viewers: how many there were; 0 where
    that is not known. answered: requests that led to a play. source: what the rows are."""

    features: Mapping[str, Histogram]
    rows: int = 0
    requests: int = 0
    answered: int = 0
    viewers: int = 0
    source: str = ""
    gains: Mapping[str, float] = field(default_factory=dict)


def count_column(column: NDArray[np.float32], weights: NDArray[np.floating] | None = None) -> Histogram:
    """Returns the histogram of values [n], with NaN for missing."""
    values = np.ascontiguousarray(column, np.float32) + np.float32(0)  # -0 becomes 0
    is_known = ~np.isnan(values)
    keys = values.view(np.uint32) >> 16
    if is_known.all():
        counts = np.bincount(keys, weights, minlength=BINS)
        missing = 0.0
    else:
        kept = None if weights is None else weights[is_known]
        counts = np.bincount(keys[is_known], kept, minlength=BINS)
        missing = float((~is_known).sum() if weights is None else weights[~is_known].sum())
    used = np.flatnonzero(counts)
    centres = (used.astype(np.uint32) << 16).view(np.float32)
    order = np.argsort(centres, kind="stable")
    return Histogram(centres[order], counts[used][order].astype(np.float64), missing)


def count_features(
    features: NDArray[np.float32], names: Sequence[str], weights: NDArray[np.floating] | None = None
) -> dict[str, Histogram]:
    """Returns the histograms of rows [n, F]."""
    return {name: count_column(features[:, index], weights) for index, name in enumerate(names)}


def add_histograms(histograms: Iterable[Histogram]) -> Histogram:
    """Returns the histogram of all rows together."""
    parts = list(histograms)
    values = np.concatenate([part.values for part in parts]) if parts else np.zeros(0, np.float32)
    counts = np.concatenate([part.counts for part in parts]) if parts else np.zeros(0)
    unique, codes = np.unique(values, return_inverse=True)
    totals = np.bincount(codes, counts, minlength=len(unique)).astype(np.float64)
    return Histogram(unique, totals, float(sum(part.missing for part in parts)))


def add_profiles(profiles: Sequence[Profile]) -> Profile:
    """Returns the profile of all rows together. viewers: the sum, so one who is in two parts counts twice."""
    names = sorted({name for profile in profiles for name in profile.features})
    features = {
        name: add_histograms(p.features[name] for p in profiles if name in p.features) for name in names
    }
    totals = {
        name: sum(getattr(profile, name) for profile in profiles)
        for name in ("rows", "requests", "answered", "viewers")
    }
    return Profile(features, **totals)


def write_profile(path: Path, profile: Profile) -> None:
    """Writes a profile as one Parquet file, all of it or nothing."""
    parts = profile.features.items()
    table = pa.table(
        {
            "feature": pa.array([name for name, part in parts for _ in part.values]).dictionary_encode(),
            "value": np.concatenate([part.values for _, part in parts] or [np.zeros(0, np.float32)]),
            "count": np.concatenate([part.counts for _, part in parts] or [np.zeros(0)]),
        }
    )
    facts = {name: getattr(profile, name) for name in ("rows", "requests", "answered", "viewers", "source")}
    facts |= {"missing": {name: part.missing for name, part in parts}, "gains": dict(profile.gains)}
    metadata = {b"profile": json.dumps(facts).encode()}
    path.parent.mkdir(parents=True, exist_ok=True)
    with replace_file(path) as temporary:
        pq.write_table(table.replace_schema_metadata(metadata), temporary, compression="zstd")


def read_profile(path: Path) -> Profile:
    """Raises OSError when there is none and ValueError when it is no profile."""
    table = pq.read_table(path)
    metadata = table.schema.metadata or {}
    if b"profile" not in metadata:
        raise ValueError(f"{path} is not a profile of features")
    facts = json.loads(metadata[b"profile"])
    missing = facts.pop("missing")
    names = np.array(table["feature"].to_pylist(), np.str_)
    values, counts = table["value"].to_numpy(), table["count"].to_numpy()
    features = {
        name: Histogram(values[names == name], counts[names == name], float(missing[name]))
        for name in missing
    }
    return Profile(features, **facts)
