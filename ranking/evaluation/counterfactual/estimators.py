"""Off-policy estimators: replay, IPS, SNIPS, doubly robust and switch-DR, with intervals clustered by viewer.

Each is a ratio of sums over decisions, linearised and added up by viewer, so that the many pages of one
viewer, and draws that last for a day, widen the interval as they should.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from reelrank.ranking.evaluation.counterfactual.logged_actions import Floats, LoggedActions

SWITCH_WEIGHT = 10.0
"""Weights above it are not trusted by switch-DR, and the model stands for them. A choice."""
LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """The reward by decision of the target, and its 95 % interval. effective: viewers (Kish 1965)."""

    method: str
    value: float
    low: float
    high: float
    effective: float


Parts = tuple[Floats, Floats]
"""Numerators and denominators [n] whose sums give the estimate."""


def compute_logged(log: LoggedActions) -> Parts:
    """The mean reward of what was shown: no estimate of another policy, to compare with."""
    return log.reward, np.ones(len(log))


def compute_replay(log: LoggedActions) -> Parts:
    """Decisions in which the target would have shown the same (Li et al. 2011).

    Unbiased only where the logging policy showed all of its choices alike often.
    """
    return log.target * log.reward, log.target


def compute_ips(log: LoggedActions) -> Parts:
    """Inverse propensity scoring (Horvitz & Thompson 1952): unbiased, and wide where weights are large."""
    return log.weights * log.reward, np.ones(len(log))


def compute_snips(log: LoggedActions) -> Parts:
    """Self-normalised IPS (Swaminathan & Joachims 2015): narrower, with a bias that fades as 1 / n."""
    return log.weights * log.reward, log.weights


def compute_doubly_robust(log: LoggedActions) -> Parts:
    """The model's expectation, corrected by weighted residuals (Dudik et al. 2011)."""
    return log.expected + log.weights * (log.reward - log.predicted), np.ones(len(log))


def compute_switch(log: LoggedActions) -> Parts:
    """Doubly robust, but the model alone stands for weights above SWITCH_WEIGHT (Wang et al. 2017)."""
    trusted = log.weights * (log.weights <= SWITCH_WEIGHT)
    return log.expected + trusted * (log.reward - log.predicted), np.ones(len(log))


METHODS: Mapping[str, Callable[[LoggedActions], Parts]] = {
    "logged": compute_logged,
    "replay": compute_replay,
    "ips": compute_ips,
    "snips": compute_snips,
    "dr": compute_doubly_robust,
    "switch-dr": compute_switch,
}
NEEDS_MODEL = frozenset({"dr", "switch-dr"})


def estimate(method: str, log: LoggedActions) -> Estimate | None:
    """Returns the estimate of one of METHODS; None without a model that it needs, or without weights."""
    if not len(log) or (method in NEEDS_MODEL and not log.has_model):
        return None
    numerators, denominators = METHODS[method](log)
    total = float(denominators.sum())
    if total <= 0:
        return None
    value = float(numerators.sum()) / total
    _, codes = np.unique(log.viewers, return_inverse=True)
    residuals = np.bincount(codes, numerators - value * denominators)
    clusters = len(residuals)
    if clusters < 2:
        return None
    variance = clusters / (clusters - 1) * float(residuals @ residuals) / total**2
    half = float(student.ppf((1 + LEVEL) / 2, clusters - 1)) * float(np.sqrt(variance))
    return Estimate(method, value, value - half, value + half, compute_effective(log, method))


def compute_effective(log: LoggedActions, method: str) -> float:
    """Returns the effective number of viewers by their weights; of all viewers for what was shown."""
    weights = {"logged": np.ones(len(log)), "replay": log.target}.get(method, log.weights)
    return count_effective(log.viewers, weights)


def count_effective(viewers: NDArray[np.str_], weights: Floats) -> float:
    """Returns the effective sample size (Kish 1965) in viewers: the pages of one are not independent."""
    totals = np.bincount(np.unique(viewers, return_inverse=True)[1], weights)
    squares = float(totals @ totals)
    return float(totals.sum()) ** 2 / squares if squares else 0.0


def estimate_all(log: LoggedActions) -> list[Estimate]:
    """Returns what can be estimated."""
    found = (estimate(method, log) for method in METHODS)
    return [one for one in found if one is not None]
