"""Computes features from signals: one function for serving and training."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reelrank.ranking.column import compact_column
from reelrank.ranking.features.batching import plan_evaluation
from reelrank.ranking.features.context import CONTEXT_FEATURES
from reelrank.ranking.features.declare import Feature
from reelrank.ranking.features.item import ITEM_FEATURES
from reelrank.ranking.features.retrieval import RETRIEVAL_FEATURES
from reelrank.ranking.features.viewer import VIEWER_FEATURES
from reelrank.ranking.signals.observe import Signals

FEATURES: tuple[Feature, ...] = (
    *RETRIEVAL_FEATURES,
    *VIEWER_FEATURES,
    *ITEM_FEATURES,
    *CONTEXT_FEATURES,
)
FEATURE_NAMES = tuple(feature.name for feature in FEATURES)
FEATURES_BY_NAME = {feature.name: feature for feature in FEATURES}


def compute_features(signals: Signals, names: Sequence[str] = FEATURE_NAMES) -> NDArray[np.float32]:
    """Computes the features [n, len(names)] of one request's candidates, NaN where missing. Raises KeyError.

    Each column is contiguous. A feature of shared signals alone is computed once, not for each candidate.
    """
    plan = plan_evaluation(tuple([FEATURES_BY_NAME[name] for name in names]))
    features = np.empty((len(names), len(signals)), np.float32)
    for position, signal in plan.passthrough:
        features[position] = signals.columns[signal]
    columns = {name: compact_column(signals.columns[name]) for name in plan.reads}
    with np.errstate(divide="ignore", invalid="ignore"):
        for positions, formula in plan.computed:
            features[positions] = formula.derive(columns)
    return features.T
