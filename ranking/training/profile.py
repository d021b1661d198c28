"""What a model learned from, as counts and histograms: the gate compares it with later requests."""

from collections.abc import Mapping, Sequence

from reelrank.ranking.drift.histograms import Profile, count_features
from reelrank.ranking.training.dataset import TrainingSet


def build_profile(
    rows: TrainingSet, names: Sequence[str], source: str, gains: Mapping[str, float]
) -> Profile:
    """Returns the profile of a training set.

    source: what the rows are, in words. gains: split gain of each feature. Rows count by their weights, as
    often as there were candidates.
    """
    return Profile(
        count_features(rows.features, names, rows.get_row_weights()),
        rows=len(rows.gains),
        requests=len(rows.groups),
        answered=int(rows.find_answered().sum()),
        source=source,
        gains=dict(gains),
    )
