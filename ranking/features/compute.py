"""The one function that turns signals into features, called by serving and by training."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ranking.column import stored
from ranking.features import catalogue, matching, situation, viewing
from ranking.features.declare import Feature
from ranking.signals import Signals

FEATURES: tuple[Feature, ...] = (
    *matching.FEATURES,
    *viewing.FEATURES,
    *catalogue.FEATURES,
    *situation.FEATURES,
)
FEATURE_NAMES = tuple(feature.name for feature in FEATURES)
BY_NAME = {feature.name: feature for feature in FEATURES}


def compute_features(signals: Signals, names: Sequence[str] = FEATURE_NAMES) -> NDArray[np.float32]:
    """Features [n, len(names)] of one request's candidates, NaN where missing. Raises KeyError.

    What is made of shared facts alone is made once.
    """
    features = np.empty((len(signals), len(names)), np.float32, order="F")
    columns = {name: stored(column) for name, column in signals.columns.items()}
    with np.errstate(divide="ignore", invalid="ignore"):
        for place, name in enumerate(names):
            features[:, place] = BY_NAME[name].derive(columns)
    return features
