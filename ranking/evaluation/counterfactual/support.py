"""Whether the log can know: the support of a target policy, checked before anything is estimated."""

from dataclasses import dataclass, replace

import numpy as np

from reelrank.ranking.evaluation.counterfactual.estimators import compute_half_width
from reelrank.ranking.evaluation.counterfactual.logged_actions import LoggedActions
from reelrank.ranking.evaluation.intervals import count_effective, sum_by_group

MIN_EFFECTIVE = 50.0
"""Effective viewers below which an interval says nothing that could be acted on. A choice."""
MIN_VIEWERS = 30
LEVEL = 0.999
"""Of the interval of the mean weight: a check that fails one honest log in a thousand."""


@dataclass(frozen=True, slots=True)
class Support:
    """effective: number of viewers by their weights. mean_weight: 1 where the target shows nothing that the
    log cannot have shown; low, high: its 99.9 % interval. refusal: why there is no estimate, else empty."""

    decisions: int
    viewers: int
    effective: float
    mean_weight: float
    low: float
    high: float
    refusal: str = ""


def check_support(log: LoggedActions) -> Support:
    """Checks propensities, the effective sample size, and that the weights average 1."""
    viewers = len(np.unique(log.viewers))
    if not len(log):
        return Support(0, 0, 0.0, 0.0, 0.0, 0.0, "no logged page had an exploration slot that can be used")
    if not bool(np.isfinite(log.propensity).all() and (log.propensity > 0).all()):
        refusal = "some decisions have no propensity above 0, so nothing is known of what else could be shown"
        return Support(len(log), viewers, 0.0, 0.0, 0.0, 0.0, refusal)
    weights = log.weights
    effective, mean = count_effective(sum_by_group(weights, log.viewers)), float(weights.mean())
    half = compute_half_width(log.viewers, (weights - mean) / len(log), LEVEL) or 0.0
    support = Support(len(log), viewers, effective, mean, mean - half, mean + half)
    return replace(support, refusal=_explain(support))


def _explain(support: Support) -> str:
    if support.viewers < MIN_VIEWERS:
        return f"only {support.viewers} viewers are in the log, and {MIN_VIEWERS} are needed"
    if support.effective < MIN_EFFECTIVE:
        return (
            f"the log shows too little of what it would show: {support.decisions:,} decisions are worth "
            f"{support.effective:.0f} effective ones, and {MIN_EFFECTIVE:.0f} are needed; explore more"
        )
    if not support.low <= 1 <= support.high:
        return (
            f"the weights average {support.mean_weight:.2f} [{support.low:.2f}, {support.high:.2f}], not 1: "
            "it would show items that the log can never show, or the propensities are wrong"
        )
    return ""
