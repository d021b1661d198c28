"""Faults made on purpose: the five bad releases that the gate must refuse."""

from dataclasses import replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from reelrank.ranking.gate.release_checks import Vectors
from reelrank.ranking.training.dataset import TrainingSet

TENTH = 0.1


class Fault(StrEnum):
    """SHUFFLED_LABELS: gains of other rows. LEAKED_FEATURE: a column that knows the gain. NAN_COLUMN: a
    column without values. TENTH_OF_DATA: the newest tenth of the requests. STALE_VECTORS: the index version
    has the vectors of an earlier training."""

    SHUFFLED_LABELS = "shuffled labels"
    LEAKED_FEATURE = "a leaked feature"
    NAN_COLUMN = "a column of NaN"
    TENTH_OF_DATA = "a tenth of the data"
    STALE_VECTORS = "stale vectors"


def spoil_rows(rows: TrainingSet, fault: Fault, column: int, rng: np.random.Generator) -> TrainingSet:
    """Returns training rows with a fault; STALE_VECTORS changes no rows.

    column: of the feature that leaks or has no values.
    """
    if fault is Fault.SHUFFLED_LABELS:
        return replace(rows, gains=shuffle_within_groups(rows.gains, rows.groups, rng))
    if fault is Fault.LEAKED_FEATURE:
        return replace(rows, features=leak(rows.features, rows.gains, column, rng))
    if fault is Fault.NAN_COLUMN:
        return replace(rows, features=replace_column(rows.features, column, np.float32(np.nan)))
    if fault is Fault.TENTH_OF_DATA:
        return replace(rows.split(1 - TENTH)[1], fitted_share=rows.fitted_share)
    return rows


def shuffle_within_groups(
    gains: NDArray[np.int32], groups: NDArray[np.int32], rng: np.random.Generator
) -> NDArray[np.int32]:
    """Returns the gains of each request in another order, so that their counts stay."""
    request = np.repeat(np.arange(len(groups)), groups)
    order = np.lexsort((rng.random(len(gains)), request))
    return gains[order]


def leak(
    features: NDArray[np.float32], gains: NDArray[np.int32], column: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Returns the features with a column that is the gain and a little noise."""
    noise = rng.normal(0, 0.1, len(gains))
    return replace_column(features, column, (gains + noise).astype(np.float32))


def replace_column(
    features: NDArray[np.float32], column: int, values: NDArray[np.float32] | np.float32
) -> NDArray[np.float32]:
    """Returns a copy of the features with other values in one column."""
    changed = features.copy()
    changed[:, column] = values
    return changed


def age_vectors(vectors: Vectors, rng: np.random.Generator) -> dict[str, NDArray[np.float32]]:
    """Returns vectors as an earlier training would have learned them: turned, factors have no fixed axes."""
    size = len(next(iter(vectors.values())))
    rotation = np.linalg.qr(rng.normal(size=(size, size)))[0]
    return {item: np.asarray(vector @ rotation, np.float32) for item, vector in vectors.items()}
