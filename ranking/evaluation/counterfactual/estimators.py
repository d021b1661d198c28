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
from reelrank.ranking.evaluation.intervals import count_effective, sum_by_group

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
    half = compute_half_width(log.viewers, (numerators - value * denominators) / total, LEVEL)
    if half is None:
        return None
    return Estimate(method, value, value - half, value + half, compute_effective(log, method))


def compute_half_width(viewers: NDArray[np.str_], errors: Floats, level: float) -> float | None:
    """Returns half the width of the interval of a ratio of sums over decisions; None with one viewer.

    errors [n]: what each decision adds to the error of the ratio, linearised. Those of one viewer are added
    up, because they are not independent.
    """
    by_viewer = sum_by_group(errors, viewers)
    clusters = len(by_viewer)
    if clusters < 2:
        return None
    variance = clusters / (clusters - 1) * float(by_viewer @ by_viewer)
    return float(student.ppf((1 + level) / 2, clusters - 1)) * float(np.sqrt(variance))


def compute_effective(log: LoggedActions, method: str) -> float:
    """Returns the effective number of viewers by their weights; of all viewers for what was shown."""
    weights = {"logged": np.ones(len(log)), "replay": log.target}.get(method, log.weights)
    return count_effective(sum_by_group(weights, log.viewers))


def estimate_all(log: LoggedActions) -> list[Estimate]:
    """Returns what can be estimated."""
    found = (estimate(method, log) for method in METHODS)
    return [one for one in found if one is not None]
