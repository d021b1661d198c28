"""Distances between two histograms of one feature: PSI, KS and JS, and how surprising a PSI is.

PSI: population stability index, the symmetric Kullback-Leibler divergence over quantile bins. KS: the largest
gap of the cumulative shares (Kolmogorov-Smirnov). JS: the Jensen-Shannon divergence in bits, 0 to 1.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, ndtr

from reelrank.ranking.drift.histograms import Histogram

QUANTILE_BINS = 10
"""Bins of about equally many reference values, as usual for PSI; a missing value has a bin of its own."""
PRIOR = 0.5
"""Added to each bin, so that an empty one has a finite logarithm (Jeffreys)."""

Shares = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Distance:
    """How far one distribution moved. p_value: of a shift as large without drift, by the number of viewers.

    shift: of the means, in standard deviations of the reference. edges [b]: the least value of each bin;
    before, now [b + 1]: the shares of the bins, the last of them of missing values.
    """

    feature: str
    psi: float
    ks: float
    js: float
    p_value: float
    shift: float
    missing_before: float
    missing_now: float
    edges: tuple[float, ...] = ()
    before: tuple[float, ...] = ()
    now: tuple[float, ...] = ()


def compare_histograms(
    feature: str, before: Histogram, now: Histogram, viewers: tuple[float, float]
) -> Distance:
    """Compares two times. viewers: of both, the effective sample sizes: rows of one viewer are alike."""
    values = np.union1d(before.values, now.values)
    first, second = _spread(before, values), _spread(now, values)
    begins = _find_edges(first)
    binned = [_bin(first, before.missing, begins), _bin(second, now.missing, begins)]
    p, q = (_smooth(shares, max(n, 1.0)) for shares, n in zip(binned, viewers, strict=True))
    psi = float(((p - q) * np.log(p / q)).sum())
    middle = (p + q) / 2
    js = float((p * np.log2(p / middle) + q * np.log2(q / middle)).sum() / 2)
    ks = float(np.abs(_cumulate(first) - _cumulate(second)).max(initial=0.0))
    shift = _shift(before, now)
    p_value = min(1.0, 2 * min(_compute_p(psi, len(p), viewers), _compute_shift_p(shift, viewers)))
    missing = before.missing_share, now.missing_share
    edges = tuple(np.nan_to_num(values[begins]).tolist()) if len(values) else ()
    return Distance(feature, psi, ks, js, p_value, shift, *missing, edges, *map(_share, binned))


def _compute_p(psi: float, bins: int, viewers: tuple[float, float]) -> float:
    """Without drift, PSI / (1/n + 1/m) has a chi-square distribution of bins - 1 degrees (Yurdakul 2018)."""
    scale = 1 / max(viewers[0], 1.0) + 1 / max(viewers[1], 1.0)
    return float(chdtrc(max(bins - 1, 1), psi / scale))  # the upper tail of chi-squared


def _compute_shift_p(shift: float, viewers: tuple[float, float]) -> float:
    """Returns the two-sided p-value of a shift of means: it finds a small one sooner than ten bins do."""
    scale = np.sqrt(1 / max(viewers[0], 1.0) + 1 / max(viewers[1], 1.0))
    return float(2 * ndtr(-abs(shift) / scale))


def _shift(before: Histogram, now: Histogram) -> float:
    """Returns by how much the mean moved, in standard deviations; 0 where either has no finite value."""
    means = []
    deviation = 0.0
    for histogram in (before, now):
        is_finite = np.isfinite(histogram.values)
        values, counts = histogram.values[is_finite].astype(np.float64), histogram.counts[is_finite]
        if not counts.sum():
            return 0.0
        means.append(float(np.average(values, weights=counts)))
        deviation = deviation or float(np.sqrt(np.average((values - means[0]) ** 2, weights=counts)))
    moved = means[1] - means[0]
    return moved / deviation if deviation > 0 else 0.0


def _spread(histogram: Histogram, values: NDArray[np.float32]) -> Shares:
    counts = np.zeros(len(values))
    counts[np.searchsorted(values, histogram.values)] = histogram.counts
    return counts


def _find_edges(counts: Shares) -> NDArray[np.intp]:
    """Returns where bins of about equally many counts begin, the first at 0."""
    if not counts.sum():
        return np.zeros(1, np.intp)
    cumulated = np.cumsum(counts) / counts.sum()
    steps = np.searchsorted(cumulated, np.arange(1, QUANTILE_BINS) / QUANTILE_BINS) + 1
    return np.unique(np.concatenate([[0], steps[steps < len(counts)]])).astype(np.intp)


def _bin(counts: Shares, missing: float, edges: NDArray[np.intp]) -> Shares:
    binned = np.add.reduceat(counts, edges) if len(counts) else np.zeros(1)
    return np.append(binned, missing)


def _smooth(binned: Shares, viewers: float) -> Shares:
    """Returns shares as if as many viewers as there are had been counted, with PRIOR in each bin."""
    scaled = binned / max(binned.sum(), 1e-12) * viewers + PRIOR
    return np.asarray(scaled / scaled.sum())


def _share(binned: Shares) -> tuple[float, ...]:
    return tuple((binned / max(binned.sum(), 1e-12)).tolist())


def _cumulate(counts: Shares) -> Shares:
    return np.asarray(np.cumsum(counts) / max(counts.sum(), 1e-12))
