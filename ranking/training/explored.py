"""A model of the probability of a watch that learned from exploration slots alone.

Their items were picked at random with known probabilities, so what they led to does not depend on what the
ranking that served believed. Rows weigh the inverse of their propensity: then every item of a pool counts
alike.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from reelrank.ranking.rankers.lambdarank import LambdaRank
from reelrank.ranking.training.dataset import TrainingSet
from reelrank.ranking.training.pointwise import train_pointwise
from reelrank.ranking.training.position_bias import MAX_WEIGHT
from reelrank.ranking.training.resampling import HandledRows

MIN_USED = 200
"""Used items of exploration slots that are the least to train on. A choice."""


def select_explored(rows: TrainingSet) -> TrainingSet:
    """Returns the rows of exploration slots, each a group, with inverse propensities as their weights.

    The smallest weight is 1 and the largest MAX_WEIGHT.
    """
    shown = rows.shown
    known = np.isfinite(shown.propensities) if shown is not None else np.zeros(len(rows.gains), bool)
    explored = np.flatnonzero(known)
    selected = rows.take(explored, np.ones(len(explored), np.int32))
    if shown is None or not len(explored):
        return selected
    weights = 1.0 / shown.propensities[explored].astype(np.float64)
    weights = np.minimum(weights / weights.min(), MAX_WEIGHT)
    return replace(selected, weights=weights.astype(np.float32), shown=None)


def train_on_explored(explored: TrainingSet, feature_names: Sequence[str]) -> LambdaRank:
    """Trains a pointwise model on rows of `select_explored`; a page has too few such slots to compare.

    Raises ValueError when fewer than MIN_USED of them were used.
    """
    if (used := count_used(explored)) < MIN_USED:
        raise ValueError(f"{used} used exploration slots are too few, {MIN_USED} are the least")
    earlier, later = explored.split()
    return train_pointwise(HandledRows(earlier, 1.0), later, feature_names)


def count_used(explored: TrainingSet) -> int:
    return int((explored.gains > 0).sum())
