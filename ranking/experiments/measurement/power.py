"""How long an experiment takes: the smallest effect that a number of days can find."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from reelrank.ranking.experiments.measurement.effects import ALPHA, measure_value
from reelrank.ranking.experiments.measurement.outcomes import ExperimentLog

POWER = 0.8
DURATIONS = (1, 2, 3, 5, 7, 10, 14, 21, 28)
"""Days that are tried, as far as the lake goes back."""


@dataclass(frozen=True, slots=True)
class Duration:
    """After so many days: viewers who came, the mean of the measure, and the smallest lift that is found with
    a probability of POWER at a level of 5 %, two-sided."""

    days: int
    viewers: int
    mean: float
    smallest_lift: float


def compute_smallest_lift(
    mean: float, variance: float, viewers: float, shares: tuple[float, float], alpha: float = ALPHA
) -> float:
    """Returns the lift that is found with probability POWER. variance: of one viewer."""
    if not mean or viewers <= 0:
        return float("inf")
    error = np.sqrt(variance / viewers * (1 / shares[0] + 1 / shares[1]))
    return float((ndtri(1 - alpha / 2) + ndtri(POWER)) * error / abs(mean))


def plan_durations(
    name: str, log: ExperimentLog, shares: Sequence[float], traffic: float, alpha: float = ALPHA
) -> list[Duration]:
    """Returns what an experiment could find after each of DURATIONS, were its days like those of the log.

    log: of all viewers that it would have. The comparison is of the control with the smallest arm.
    """
    durations = list[Duration]()
    if not len(log.days):
        return durations
    first, last = int(log.days.day.min()), int(log.days.day.max())
    for days in DURATIONS:
        if days > last - first + 1:
            break
        totals = log.total(log.days.select(log.days.day < first + days))
        spread = measure_value(name, totals)
        if spread is None:
            continue
        viewers = traffic * len(totals)
        pair = shares[0], min(shares[1:])
        lift = compute_smallest_lift(spread.value, spread.variance * spread.n, viewers, pair, alpha)
        durations.append(Duration(days, round(viewers), spread.value, lift))
    return durations


def find_days(durations: Sequence[Duration], lift: float) -> int | None:
    """Returns the first number of days that finds a lift; None where none of them does."""
    return next((one.days for one in durations if one.smallest_lift <= lift), None)
