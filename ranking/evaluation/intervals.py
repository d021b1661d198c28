"""Bootstrap intervals of a mean over requests. The requests are resampled, not the items."""

from dataclasses import dataclass

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


def bootstrap_interval(values: NDArray[np.floating], seed: int = 0) -> Interval:
    """Returns the interval of values [q], one per request, ignoring NaN. Raises ValueError without values."""
    return bootstrap_intervals(np.asarray(values)[:, None], seed)[0]


def bootstrap_difference(a: NDArray[np.floating], b: NDArray[np.floating], seed: int = 0) -> Interval:
    """Returns the interval of a - b, paired by request."""
    return bootstrap_interval(np.asarray(a, np.float64) - np.asarray(b, np.float64), seed)


def bootstrap_intervals(values: NDArray[np.floating], seed: int = 0) -> list[Interval]:
    """Returns percentile bootstrap intervals (Efron 1979) of the columns of values [q, m].

    All columns use the same resamples. Raises ValueError when a column has no value.
    """
    known = np.isfinite(values)
    if not known.any(axis=0).all():
        raise ValueError("there are no values to average; measure at least one request")
    filled = np.where(known, values, 0.0).astype(np.float64)
    weights = known.astype(np.float64)
    means = filled.sum(axis=0) / weights.sum(axis=0)
    rng = np.random.default_rng(seed)
    chunks = [_resample_means(filled, weights, rng) for _ in range(RESAMPLES // CHUNK)]
    low, high = np.nanpercentile(np.concatenate(chunks), [LOW_PERCENTILE, HIGH_PERCENTILE], axis=0)
    return [Interval(*map(float, triple)) for triple in zip(means, low, high, strict=True)]


def _resample_means(
    filled: NDArray[np.float64], weights: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Returns the means [CHUNK, m] of resampled requests; NaN where a resample has no value."""
    requests = len(filled)
    sampled = rng.integers(0, requests, (CHUNK, requests)) + np.arange(CHUNK)[:, None] * requests
    counts = (
        np.bincount(sampled.ravel(), minlength=CHUNK * requests).reshape(CHUNK, requests).astype(np.float64)
    )
    totals = counts @ weights
    return np.divide(counts @ filled, totals, out=np.full_like(totals, np.nan), where=totals > 0)
