"""The effect of an arm on a ratio of totals: by the delta method, clustered by viewer, narrowed by the past.

A ratio of sums is not a mean of independent rows, because a viewer has many rows. Linearised by viewer,
z = (y - R x) / mean(x), it is one: var(R) = var(z) / n (Deng et al. 2018). CUPED takes off what the days
before explain: z - theta (w - mean(w)) with w the same of the past (Deng et al. 2013). The difference is
compared with Welch's t distribution.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

from reelrank.ranking.experiments.measurement.metrics import METRICS, VIEWERS, Metric
from reelrank.ranking.experiments.measurement.outcomes import Values, ViewerTotals
from reelrank.ranking.experiments.sequential import compute_boundary

ALPHA = 0.05
MIN_VIEWERS = 100
"""Viewers of each arm from which on an effect is estimated: means of fewer are not normal yet."""
OPTIMAL_DAYS = 5000.0
"""Active days of viewers for which an always-valid interval is narrowest. A choice: it hardly matters."""


@dataclass(frozen=True, slots=True)
class Spread:
    """An estimated value with the variance of its estimate, from n viewers."""

    value: float
    variance: float
    n: int


@dataclass(frozen=True, slots=True)
class Effect:
    """An arm against the control. low, high: of the difference; any_low, any_high: also when it is read
    every day. narrowed: width by CUPED as a share of the width without it; 1 without a past."""

    control: Spread
    treatment: Spread
    difference: float
    low: float
    high: float
    any_low: float
    any_high: float
    p_value: float
    narrowed: float = 1.0

    def to_lift(self, difference: float) -> float:
        """Returns a difference as a share of the control; NaN where the control is 0."""
        return difference / self.control.value if self.control.value else float("nan")


def estimate_effect_of(
    name: str, totals: ViewerTotals, arm: int, alpha: float = ALPHA, with_past: bool = True
) -> Effect | None:
    """Returns the effect of an arm on a measure; None with too few viewers or nothing to divide by."""
    metric = METRICS[name]
    in_pair = np.isin(totals.arms, (0, arm))
    if not metric.has_past:  # viewers whose time is not over are left out
        in_pair &= totals.columns[metric.denominator] > 0
    pair = totals.select(in_pair)
    plain = _linearise_arms(metric, pair, arm)
    if plain is None:
        return None
    z, values = plain
    is_control = pair.arms == 0
    spreads = [_spread(values[index], z[mask]) for index, mask in enumerate((is_control, ~is_control))]
    width = sum(spread.variance for spread in spreads)
    adjusted = _adjust(metric, pair, z, values) if with_past and metric.has_past else None
    narrowed = 1.0
    if adjusted is not None:
        spreads = adjusted
        narrowed = float(np.sqrt(sum(spread.variance for spread in spreads) / width)) if width else 1.0
    return compare_spreads(spreads[0], spreads[1], totals.active_days, alpha, narrowed)


def compare_spreads(
    control: Spread, treatment: Spread, active_days: int, alpha: float = ALPHA, narrowed: float = 1.0
) -> Effect:
    """Returns the effect with its fixed-horizon and its always-valid interval.

    active_days: how much was observed, in days of viewers; the intrinsic time of the confidence sequence.
    """
    difference = treatment.value - control.value
    variance = control.variance + treatment.variance
    error = float(np.sqrt(variance))
    parts = sum(spread.variance**2 / (spread.n - 1) for spread in (control, treatment))
    freedom = variance**2 / parts if parts else 1.0
    half = float(stdtrit(freedom, 1 - alpha / 2)) * error
    time = float(max(active_days, 1))
    factor = float(compute_boundary(np.array([time]), alpha, OPTIMAL_DAYS)[0]) / np.sqrt(time)
    p_value = float(2 * stdtr(freedom, -abs(difference) / error)) if error else float(difference == 0)
    any_half = factor * error
    return Effect(
        control, treatment, difference, difference - half, difference + half,
        difference - any_half, difference + any_half, p_value, narrowed,
    )  # fmt: skip


def _linearise_arms(
    metric: Metric, pair: ViewerTotals, arm: int
) -> tuple[Values, tuple[float, float]] | None:
    """Returns z [n], each viewer against the ratio of their arm, and both ratios."""
    y, x = pair.columns[metric.numerator], pair.columns[metric.denominator]
    z, ratios = np.zeros(len(pair)), []
    for index in (0, arm):
        mask = pair.arms == index
        if mask.sum() < MIN_VIEWERS or x[mask].sum() <= 0:
            return None
        ratio = float(y[mask].sum() / x[mask].sum())
        z[mask] = (y[mask] - ratio * x[mask]) / x[mask].mean()
        ratios.append(ratio)
    return z, (ratios[0], ratios[1])


def _adjust(
    metric: Metric, pair: ViewerTotals, z: Values, values: tuple[float, float]
) -> list[Spread] | None:
    """Returns both arms narrowed by the past of their viewers; None without one."""
    y, x = pair.past[metric.numerator], pair.past[metric.denominator]
    if x.sum() <= 0 or not y.any():
        return None
    w = (y - y.sum() / x.sum() * x) / x.mean()
    is_control = pair.arms == 0
    centred = np.where(is_control, w - w[is_control].mean(), w - w[~is_control].mean())
    spread = float(centred @ centred)
    if spread <= 0:
        return None
    theta = float(z @ centred) / spread
    rest, centre = z - theta * w, w.mean()
    return [
        _spread(value - theta * float(w[mask].mean() - centre), rest[mask])
        for value, mask in zip(values, (is_control, ~is_control), strict=True)
    ]


def _spread(value: float, z: Values) -> Spread:
    return Spread(value, float(z.var(ddof=1) / len(z)), len(z))


def measure_value(name: str, totals: ViewerTotals) -> Spread | None:
    """Returns a measure of all viewers together, narrowed by their past; None with too few of them."""
    metric = METRICS[name]
    y, x = totals.columns[metric.numerator], totals.columns[metric.denominator]
    if len(totals) < MIN_VIEWERS or x.sum() <= 0:
        return None
    ratio = float(y.sum() / x.sum())
    z = (y - ratio * x) / x.mean()
    past_y, past_x = (
        totals.past.get(metric.numerator),
        totals.past.get(metric.denominator, totals.past[VIEWERS]),
    )
    if metric.has_past and past_y is not None and past_y.any() and past_x.sum() > 0:
        w = (past_y - past_y.sum() / past_x.sum() * past_x) / past_x.mean()
        w -= w.mean()
        z = z - float(z @ w) / max(float(w @ w), 1e-300) * w
    return _spread(ratio, z)
