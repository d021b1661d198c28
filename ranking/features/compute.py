"""The one function that turns signals into features, called by serving and by training."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reelrank.ranking.column import compact_column
from reelrank.ranking.features import context as situation
from reelrank.ranking.features import item as catalogue
from reelrank.ranking.features import retrieval as matching
from reelrank.ranking.features import viewer as viewing
from reelrank.ranking.features.batching import plan_evaluation
from reelrank.ranking.features.declare import Feature
from reelrank.ranking.signals.observe import Signals

FEATURES: tuple[Feature, ...] = (
    *matching.FEATURES,
    *viewing.FEATURES,
    *catalogue.FEATURES,
    *situation.FEATURES,
)
FEATURE_NAMES = tuple(feature.name for feature in FEATURES)
FEATURES_BY_NAME = {feature.name: feature for feature in FEATURES}


def compute_features(signals: Signals, names: Sequence[str] = FEATURE_NAMES) -> NDArray[np.float32]:
    """Features [n, len(names)] of one request's candidates, NaN where missing. Raises KeyError.

    A column of them lies in one piece. What is made of shared facts alone is made once.
    """
    asked = plan_evaluation(tuple([FEATURES_BY_NAME[name] for name in names]))
    features = np.empty((len(names), len(signals)), np.float32)
    for place, signal in asked.passthrough:
        features[place] = signals.columns[signal]
    columns = {name: compact_column(signals.columns[name]) for name in asked.reads}
    with np.errstate(divide="ignore", invalid="ignore"):
        for places, formula in asked.computed:
            features[places] = formula.derive(columns)
    return features.T
