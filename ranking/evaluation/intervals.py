"""Bootstrap intervals of a mean over requests, and what they prove. Requests are resampled, not items."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
"""At least 1,000 are recommended for percentile intervals (Efron & Tibshirani 1993)."""
CHUNK = 50
"""Resamples computed at a time; memory is CHUNK x requests."""
LOW_PERCENTILE, HIGH_PERCENTILE = 2.5, 97.5


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and its 95 % confidence interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.4f} [{self.low:.4f}, {self.high:.4f}]"


class Verdict(StrEnum):
    """What the interval of a paired difference proves."""

    BETTER = "certainly better"
    WORSE = "certainly worse"
    NOT_WORSE = "not worse"
    UNDECIDED = "undecided"


MARGIN = 0.01
"""A difference that is certainly above -MARGIN is not worse."""
MIN_QUERIES, MIN_VIEWERS = 400, 500
"""Queries or viewers from which "not worse" may be said; with fewer the interval is too wide to mean it."""


def judge_difference(difference: Interval, count: int, least: int) -> Verdict:
    """Returns what a difference over `count` queries or viewers proves; "not worse" needs `least` of them."""
    if difference.low > 0:
        return Verdict.BETTER
    if difference.high < 0:
        return Verdict.WORSE
    return Verdict.NOT_WORSE if difference.low > -MARGIN and count >= least else Verdict.UNDECIDED


def average_by_group(values: NDArray[np.floating], groups: NDArray[np.str_]) -> NDArray[np.float64]:
    """Returns the means [g, m] of the values [q, m] of each group [q], in the order of the group's name.

    Requests of one viewer are not independent: intervals by viewer resample these means.
    """
    counts = np.unique(groups, return_counts=True)[1]
    return np.asarray(sum_by_group(values, groups) / counts[:, None])


def sum_by_group(values: NDArray[np.floating], groups: NDArray[np.str_]) -> NDArray[np.float64]:
    """Returns the sums [g, ...] of the values [q, ...] of each group [q], in the order of its name."""
    names, codes = np.unique(groups, return_inverse=True)
    totals = np.zeros((len(names), *values.shape[1:]))
    np.add.at(totals, codes, values)
    return totals


def count_effective(weights: NDArray[np.number]) -> float:
    """Returns the effective sample size of units with these weights [n], at most n (Kish 1965).

    Where a few units have most of the weight, they decide the mean. 0 without any weight.
    """
    floats = weights.astype(np.float64)
    squares = float(floats @ floats)
    return float(floats.sum()) ** 2 / squares if squares else 0.0


def bootstrap_interval(values: NDArray[np.floating], seed: int = 0) -> Interval:
    """Returns the interval of values [q], one per request, ignoring NaN. Raises ValueError without values."""
    return bootstrap_intervals(np.asarray(values)[:, None], seed)[0]


def bootstrap_difference(a: NDArray[np.floating], b: NDArray[np.floating], seed: int = 0) -> Interval:
    """Returns the interval of a - b, paired by request."""
    return bootstrap_interval(np.asarray(a, np.float64) - np.asarray(b, np.float64), seed)


def bootstrap_intervals(
    values: NDArray[np.floating], seed: int = 0, groups: NDArray[np.str_] | None = None
) -> list[Interval]:
    """Returns percentile bootstrap intervals (Efron 1979) of the columns of values [q, m].

    groups [q]: requests of one group are resampled together, as those of one viewer are not independent.
    All columns use the same resamples. Raises ValueError when a column has no value.
    """
    known = np.isfinite(values)
    if not known.any(axis=0).all():
        raise ValueError("there are no values to average; measure at least one request")
    filled = np.where(known, values, 0.0).astype(np.float64)
    weights = known.astype(np.float64)
    means = filled.sum(axis=0) / weights.sum(axis=0)
    if groups is not None:
        filled, weights = sum_by_group(filled, groups), sum_by_group(weights, groups)
    rng = np.random.default_rng(seed)
    chunks = [_resample_means(filled, weights, rng) for _ in range(RESAMPLES // CHUNK)]
    low, high = np.nanpercentile(np.concatenate(chunks), [LOW_PERCENTILE, HIGH_PERCENTILE], axis=0)
    return [Interval(*map(float, triple)) for triple in zip(means, low, high, strict=True)]


def bootstrap_ratio(
    numerator: NDArray[np.floating],
    denominator: NDArray[np.floating],
    groups: NDArray[np.str_],
    seed: int = 0,
) -> Interval:
    """Returns the sum of numerators [q] over that of denominators [q], resampled by group [q].

    Raises ValueError when the denominators add up to nothing.
    """
    total = float(denominator.sum())
    if total <= 0:
        raise ValueError("there is nothing to divide by; measure at least one row")
    sums = total_resamples(np.stack([numerator, denominator], 1).astype(np.float64), groups, seed)
    ratios = np.divide(sums[:, 0], sums[:, 1], out=np.full(len(sums), np.nan), where=sums[:, 1] > 0)
    return summarize_resamples(float(numerator.sum()) / total, ratios)


def total_resamples(
    values: NDArray[np.floating], groups: NDArray[np.str_], seed: int = 0
) -> NDArray[np.float64]:
    """Returns the sums [RESAMPLES, k] of values [q, k] over resamples of groups [q].

    The same groups and seed give the same resamples: statistics of several systems are then paired.
    """
    by_group, rng = sum_by_group(values, groups), np.random.default_rng(seed)
    return np.concatenate(
        [_count_resampled(len(by_group), rng) @ by_group for _ in range(RESAMPLES // CHUNK)]
    )


def summarize_resamples(mean: float, resampled: NDArray[np.floating]) -> Interval:
    """Returns the percentile interval of a statistic from its resamples, ignoring NaN."""
    low, high = np.nanpercentile(resampled, [LOW_PERCENTILE, HIGH_PERCENTILE])
    return Interval(mean, float(low), float(high))


def _resample_means(
    filled: NDArray[np.float64], weights: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Returns the means [CHUNK, m] of resampled requests; NaN where a resample has no value."""
    counts = _count_resampled(len(filled), rng)
    totals = counts @ weights
    return np.divide(counts @ filled, totals, out=np.full_like(totals, np.nan), where=totals > 0)


def _count_resampled(requests: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Returns how often each request is in each of CHUNK resamples [CHUNK, requests]."""
    sampled = rng.integers(0, requests, (CHUNK, requests)) + np.arange(CHUNK)[:, None] * requests
    counts = np.bincount(sampled.ravel(), minlength=CHUNK * requests)
    return counts.reshape(CHUNK, requests).astype(np.float64)
