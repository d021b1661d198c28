"""Tests that stay valid when they are read after every viewer: confidence sequences and a ratio test.

A confidence sequence is a sequence of intervals that all hold at once with probability 1 - alpha. So an
experiment may be read at any time and stopped for any reason (Howard et al. 2021).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln

START = 100
"""Viewers before the first interval: the sequence is asymptotic, and means of fewer are not normal yet."""
OPTIMAL_AT = 2000
"""Viewers for which the interval is narrowest. A choice: more than a small service has in a day."""
PRIOR_VIEWERS = 100.0
"""Weight of the prior of the ratio test, in viewers. A choice."""

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Sequence:
    """After each viewer [n]: the estimate of the effect, and its interval; infinite before START viewers."""

    estimate: Values
    low: Values
    high: Values


def compute_boundary(variance: Values, alpha: float, optimal: float) -> Values:
    """Returns the bound [n] of a sum with these intrinsic variances, two-sided: the normal mixture.

    It is where the mixture of likelihood ratios over effects ~ N(0, 1 / rho) reaches 1 / alpha (Robbins 1970;
    Howard et al. 2021, equation 14). optimal: the variance at which the bound is tightest.
    """
    rho = optimal / (-2 * np.log(alpha) + np.log(-2 * np.log(alpha)) + 1)
    return np.asarray(np.sqrt((variance + rho) * (np.log((variance + rho) / rho) - 2 * np.log(alpha))))


def estimate_effect(outcomes: Values, is_canary: NDArray[np.bool_], share: float, alpha: float) -> Sequence:
    """Returns the confidence sequence of the effect of the canary on the mean outcome.

    outcomes [n], is_canary [n]: of viewers in the order in which they were observed. Each outcome is centred
    by the mean of those before and weighted by its known probability, so the terms are unbiased; their
    variance is estimated (Waudby-Smith et al. 2024, an asymptotic confidence sequence).
    """
    n = np.arange(1, len(outcomes) + 1)
    before = np.concatenate([[0.0], np.cumsum(outcomes)[:-1] / n[:-1]]) if len(n) else np.zeros(0)
    terms = (outcomes - before) * (is_canary - share) / (share * (1 - share))
    estimate = np.cumsum(terms) / n
    variance = np.maximum(np.cumsum(terms**2) / n - estimate**2, 0.0)
    width = np.sqrt(variance) * compute_boundary(n.astype(np.float64), alpha, OPTIMAL_AT) / n
    width[: START - 1] = np.inf
    return Sequence(estimate, estimate - width, estimate + width)


def compute_ratio_p(is_canary: NDArray[np.bool_], share: float) -> Values:
    """Returns the p-value [n] of the share of viewers in the canary, valid after each of them.

    1 / p is the Bayes factor of an unknown share ~ Beta against the stated one (Lindon & Malek 2022). A small
    one is a sample-ratio mismatch: the assignment or the log is broken, and no effect can be believed.
    """
    n, k = np.arange(1, len(is_canary) + 1), np.cumsum(is_canary)
    a, b = PRIOR_VIEWERS * share, PRIOR_VIEWERS * (1 - share)
    log_factor = betaln(a + k, b + n - k) - betaln(a, b) - k * np.log(share) - (n - k) * np.log1p(-share)
    return np.asarray(np.exp(-np.maximum.accumulate(np.maximum(log_factor, 0.0))))
