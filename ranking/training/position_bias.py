"""Position bias: people act on what is high on a page because it is high. Two corrections for logged rows.

POSITION: LightGBM learns the bias of each position beside the trees and scores without it. PROPENSITY: a used
item weighs the inverse of the probability that its position is looked at (Joachims et al. 2017), estimated
from exploration slots, whose items were picked at random.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from reelrank.ranking.training.dataset import ShownAt, TrainingSet

MAX_WEIGHT = 10.0
"""Bounds the variance of inverse propensities. A choice."""
MIN_USED = 30
"""Used items of exploration slots that are the least to estimate from. A choice."""
MAX_DECAY, STEPS = 3.0, 301
"""The decay is searched on a grid of hundredths: the likelihood has one maximum, and nothing needs more."""


class PositionBias(StrEnum):
    """How training corrects for positions."""

    NONE = "none"
    POSITION = "position"
    PROPENSITY = "propensity"


@dataclass(frozen=True, slots=True)
class Examination:
    """How often a position, from 0, is looked at, relative to the first: (position + 1) ** -decay."""

    decay: float

    def compute(self, positions: NDArray[np.int32]) -> NDArray[np.float64]:
        return np.asarray((np.maximum(positions, 0) + 1.0) ** -self.decay)


def correct_position_bias(rows: TrainingSet, bias: PositionBias) -> TrainingSet:
    """Returns the rows as `train_ranker` corrects them; rows that do not say where they were shown stay.

    PROPENSITY is NONE where exploration slots say too little.
    """
    if rows.shown is None or bias is PositionBias.POSITION:
        return rows
    examination = estimate_examination(rows) if bias is PositionBias.PROPENSITY else None
    return replace(rows, shown=None) if examination is None else weigh_used(rows, examination)


def estimate_examination(rows: TrainingSet) -> Examination | None:
    """Estimates the decay of examination from exploration slots; None when too few of them were used.

    Slots weigh the inverse of their propensity, up to MAX_WEIGHT times the smallest weight: then the items of
    every position are alike, and what differs is how often they are looked at.
    """
    shown = rows.shown
    explored = np.flatnonzero(np.isfinite(shown.propensities)) if shown is not None else np.empty(0, np.intp)
    used = rows.gains[explored] > 0
    if shown is None or used.sum() < MIN_USED:
        return None
    weights = 1.0 / shown.propensities[explored].astype(np.float64)
    weights = np.minimum(weights / weights.min(), MAX_WEIGHT)
    steps = np.log(shown.positions[explored] + 1.0)
    decays = np.linspace(0, MAX_DECAY, STEPS)
    return Examination(float(max(decays, key=lambda decay: _compute_likelihood(decay, steps, used, weights))))


def _compute_likelihood(
    decay: float, steps: NDArray[np.float64], used: NDArray[np.bool_], weights: NDArray[np.float64]
) -> float:
    """Returns the log likelihood of use at a rate of rate * exp(-decay * steps), with the best rate."""
    shape = np.exp(-decay * steps)
    rate = min((weights * used).sum() / (weights * shape).sum(), 1 - 1e-9)
    p = rate * shape
    return float((weights * np.where(used, np.log(p), np.log1p(-p))).sum())


def weigh_used(rows: TrainingSet, examination: Examination) -> TrainingSet:
    """Returns the rows with inverse propensities as the importance of the used items, 1 for the others."""
    if rows.shown is None:
        return rows
    inverse = np.minimum(1.0 / examination.compute(rows.shown.positions), MAX_WEIGHT)
    is_used = (rows.gains > 0) & (rows.shown.positions >= 0)
    importance = np.where(is_used, inverse, 1.0).astype(np.float32)
    return replace(rows, shown=replace(rows.shown, importance=importance))


def number_positions(shown: ShownAt) -> NDArray[np.int32]:
    """Returns positions [rows] for LightGBM: items that were not shown share one of their own."""
    last = int(shown.positions.max(initial=-1)) + 1
    return np.where(shown.positions >= 0, shown.positions, last).astype(np.int32)
