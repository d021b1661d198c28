"""Ways of handling the few positive rows among many negative ones before a model is trained.

Each takes a training set and returns one with the same query groups, and by how much it changed the odds of a
positive row: a probability that was learned from it is corrected by that factor (King & Zeng 2001; for
thinned negatives He et al. 2014, section 6.3).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from reelrank.ranking.training.dataset import TrainingSet

THINNED_NEGATIVES = 4
"""Negatives that thinning keeps for each positive of the whole set. A choice between 1 and what is there."""
NEIGHBOURS = 5
"""Of SMOTE and its relatives: the default of Chawla et al. 2002 and of imbalanced-learn."""


class Handling(StrEnum):
    """Ways of handling imbalance. SMOTE, BORDERLINE and ADASYN make rows that belong to no query group."""

    NOTHING = "nothing"
    WEIGHTS = "class weights"
    THINNING = "thinned negatives"
    SMOTE = "SMOTE"
    BORDERLINE = "borderline SMOTE"
    ADASYN = "ADASYN"


SYNTHETIC = (Handling.SMOTE, Handling.BORDERLINE, Handling.ADASYN)


@dataclass(frozen=True, slots=True, eq=False)
class HandledRows:
    """Rows to train on. odds_factor: odds of a positive row in them over those in the original rows.

    synthetic: how many rows were made up; they stand at the end, each a group of its own.
    """

    rows: TrainingSet
    odds_factor: float
    synthetic: int = 0

    @property
    def intercept(self) -> float:
        """What to add to a log-odds score learned from these rows, so that it holds for the original ones."""
        return -float(np.log(self.odds_factor))


def handle_imbalance(training: TrainingSet, handling: Handling, seed: int = 0) -> HandledRows:
    """Handles the imbalance of a training set. Raises ValueError without a positive or a negative row."""
    positive = training.gains > 0
    if positive.all() or not positive.any():
        raise ValueError("all rows are of one class, so there is no imbalance to handle; load more watches")
    handled, synthetic = _HANDLERS[handling](training, np.random.default_rng(seed))
    return HandledRows(handled, compute_odds(handled) / compute_odds(training), synthetic)


def compute_odds(training: TrainingSet) -> float:
    """Returns the weight of the positive rows over that of the negative ones."""
    weights, positive = training.get_row_weights().astype(np.float64), training.gains > 0
    return float(weights[positive].sum() / weights[~positive].sum())


def _keep(training: TrainingSet, _rng: np.random.Generator) -> tuple[TrainingSet, int]:
    return training, 0


def _weigh(training: TrainingSet, _rng: np.random.Generator) -> tuple[TrainingSet, int]:
    """Weighs positive rows until both classes weigh the same."""
    weights = training.get_row_weights()
    heavier = np.where(training.gains > 0, weights / compute_odds(training), weights)
    return replace(training, weights=heavier.astype(np.float32)), 0


def _thin(training: TrainingSet, rng: np.random.Generator) -> tuple[TrainingSet, int]:
    """Drops negative rows at random, the same share in each group on average; no group is split."""
    positive = training.gains > 0
    share = min(THINNED_NEGATIVES * np.count_nonzero(positive) / np.count_nonzero(~positive), 1.0)
    kept = positive | (rng.random(len(positive)) < share)
    group_of_row = np.repeat(np.arange(len(training.groups)), training.groups)
    groups = np.bincount(group_of_row[kept], minlength=len(training.groups))
    return TrainingSet(
        training.features[kept],
        training.gains[kept],
        groups[groups > 0].astype(np.int32),
        training.get_row_weights()[kept],
    ), 0


def _synthesize(make_sampler: Callable[[int], object]) -> Callable[..., tuple[TrainingSet, int]]:
    """Adds positive rows between neighbouring ones until both classes have as many rows.

    Missing values are the median for the search for neighbours, so a synthetic row has none.
    """

    def add_rows(training: TrainingSet, rng: np.random.Generator) -> tuple[TrainingSet, int]:
        filled = fill_missing(training.features)
        sampler = make_sampler(int(rng.integers(2**31)))
        features, _ = sampler.fit_resample(filled, training.gains > 0)  # type: ignore[attr-defined]
        made = np.asarray(features[len(filled) :], np.float32)
        ones = np.ones(len(made), np.int32)
        return TrainingSet(
            np.concatenate([training.features, made]),
            np.concatenate([training.gains, ones]),
            np.concatenate([training.groups, ones]),
            np.concatenate([training.get_row_weights(), ones.astype(np.float32)]),
        ), len(made)

    return add_rows


def fill_missing(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns features [rows, F] with the median of its column in place of each NaN; 0 in empty columns."""
    known = np.isfinite(features)
    medians = np.array(
        [
            np.median(column[is_known]) if is_known.any() else 0.0
            for column, is_known in zip(features.T, known.T, strict=True)
        ],
        np.float32,
    )
    return np.where(known, features, medians)


def _make_smote(seed: int) -> object:
    from imblearn.over_sampling import SMOTE

    return SMOTE(k_neighbors=NEIGHBOURS, random_state=seed)


def _make_borderline(seed: int) -> object:
    from imblearn.over_sampling import BorderlineSMOTE

    return BorderlineSMOTE(k_neighbors=NEIGHBOURS, random_state=seed)


def _make_adasyn(seed: int) -> object:
    from imblearn.over_sampling import ADASYN

    return ADASYN(n_neighbors=NEIGHBOURS, random_state=seed)


_HANDLERS: dict[Handling, Callable[..., tuple[TrainingSet, int]]] = {
    Handling.NOTHING: _keep,
    Handling.WEIGHTS: _weigh,
    Handling.THINNING: _thin,
    Handling.SMOTE: _synthesize(_make_smote),
    Handling.BORDERLINE: _synthesize(_make_borderline),
    Handling.ADASYN: _synthesize(_make_adasyn),
}
