"""Skew: whether features of logged signals equal those of signals that are observed again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RELATIVE, ABSOLUTE = 1e-4, 1e-6
"""Differences that are rounding: logged signals are float32, which has seven digits."""
TOLERANCE = 0.01
"""Share of a feature's values that may differ, by default. A choice."""
WHY = {
    "text match": "they compare the query with the words and names of items, so the catalogue changed since "
    "the page, or its text was read in another way",
    "source ranks": "they come from the candidate sources, so a source answered otherwise, or items were "
    "added, changed or removed since the page",
    "popularity": "they come from counters of events, so events were counted late, or were loaded, withdrawn "
    "or removed since the page",
    "past impressions": "they come from the impressions of the viewer, so impressions were written late, or "
    "were withdrawn or removed since the page",
    "attributes": "they are facts of items, so the catalogue changed since the page",
    "freshness": "they are facts of items, so the catalogue changed since the page",
    "hashing": "they are facts of items, so the catalogue changed since the page",
    "time": "they come from the time of the request, so the clock or the calendar differs",
    "location": "they come from the country of the request, so the context is not what was logged",
}
OF_VIEWER = (
    "they come from what the viewer did before, so events arrived late, were loaded, withdrawn or removed "
    "since the page, or another part of the past is read"
)


@dataclass(frozen=True, slots=True, eq=False)
class ComparedValues:
    """Features [n, F] of the same n shown items: logged, and observed again with each of two states of the
    time of the page, before and after what may have been on its way. requests, items [n]: whose they are."""

    logged: NDArray[np.float32]
    earlier: NDArray[np.float32]
    later: NDArray[np.float32]
    requests: Sequence[str]
    items: Sequence[str]


@dataclass(frozen=True, slots=True)
class FeatureSkew:
    """How much of a feature is equal. example: the first difference, in words; empty without one."""

    feature: str
    group: str
    values: int
    equal: float
    example: str = ""


def measure_skew(values: ComparedValues, groups: Mapping[str, str]) -> list[FeatureSkew]:
    """Measures each feature, those with the smallest share of equal values first.

    groups: the group of each feature [F], by its name, in the order of the values. A value is equal if it is
    between those of the two states. Raises ValueError without values.
    """
    if not len(values.logged):
        raise ValueError("there are no values to compare")
    equal = find_equal(values)
    measured = [
        FeatureSkew(
            name,
            group,
            len(equal),
            float(equal[:, column].mean()),
            _describe_first(values, column, np.flatnonzero(~equal[:, column])),
        )
        for column, (name, group) in enumerate(groups.items())
    ]
    return sorted(measured, key=lambda feature: feature.equal)


def find_equal(values: ComparedValues) -> NDArray[np.bool_]:
    """Returns which values [n, F] are equal; a missing one equals a missing one only."""
    logged, earlier, later = (
        part.astype(np.float64) for part in (values.logged, values.earlier, values.later)
    )
    margin = ABSOLUTE + RELATIVE * np.abs(logged)
    with np.errstate(invalid="ignore"):
        is_between = (np.minimum(earlier, later) - margin <= logged) & (
            logged <= np.maximum(earlier, later) + margin
        )
        is_same = (np.abs(logged - earlier) <= margin) | (np.abs(logged - later) <= margin)
    is_missing = np.isnan(logged) & (np.isnan(earlier) | np.isnan(later))
    return np.asarray(is_between | is_same | is_missing)


def describe_skew(features: Sequence[FeatureSkew], tolerance: float = TOLERANCE) -> list[str]:
    """Returns a sentence for each cause: the features that differ in more of their values, and why."""
    by_cause: dict[str, list[FeatureSkew]] = {}
    for feature in features:
        if 1 - feature.equal > tolerance:
            by_cause.setdefault(WHY.get(feature.group, OF_VIEWER), []).append(feature)
    return [
        f"{', '.join(f'{f.feature} ({1 - f.equal:.1%})' for f in skewed)} differ from what was logged: "
        f"{why}; for example {skewed[0].example}"
        for why, skewed in by_cause.items()
    ]


def _describe_first(values: ComparedValues, column: int, rows: NDArray[np.intp]) -> str:
    if not len(rows):
        return ""
    row = int(rows[0])
    logged, again = values.logged[row, column], values.later[row, column]
    return f"item {values.items[row]} of request {values.requests[row]}: logged {logged:g}, again {again:g}"
