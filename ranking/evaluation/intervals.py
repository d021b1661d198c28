"""Bootstrap intervals of a mean over requests: requests are resampled, never items."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
CHUNK = 50  # resamples counted at once; keeps memory at CHUNK x requests
LOW_PERCENTILE, HIGH_PERCENTILE = 2.5, 97.5


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and its 95 % interval; here by percentile bootstrap (Efron 1979)."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.4f} [{self.low:.4f}, {self.high:.4f}]"


def bootstrap_interval(values: NDArray[np.floating], seed: int = 0) -> Interval:
    """Of values [q], one a request; NaN where a request has none. Raises ValueError without values."""
    return bootstrap_intervals(np.asarray(values)[:, None], seed)[0]


def bootstrap_difference(a: NDArray[np.floating], b: NDArray[np.floating], seed: int = 0) -> Interval:
    """Of a - b over the same requests, both resampled together."""
    return bootstrap_interval(np.asarray(a, np.float64) - np.asarray(b, np.float64), seed)


def bootstrap_intervals(values: NDArray[np.floating], seed: int = 0) -> list[Interval]:
    """Of every column of values [q, m], with the same resamples for all.

    Raises ValueError when a column has no value.
    """
    known = np.isfinite(values)
    if not known.any(axis=0).all():
        raise ValueError("no values to take a mean of; judge at least one request")
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
    """Means [CHUNK, m]: how often each request was drawn, times its values. NaN: none had a value."""
    requests = len(filled)
    drawn = rng.integers(0, requests, (CHUNK, requests)) + np.arange(CHUNK)[:, None] * requests
    counts = (
        np.bincount(drawn.ravel(), minlength=CHUNK * requests).reshape(CHUNK, requests).astype(np.float64)
    )
    totals = counts @ weights
    return np.divide(counts @ filled, totals, out=np.full_like(totals, np.nan), where=totals > 0)
