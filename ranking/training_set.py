"""Training groups: judged requests as one matrix, a group never split, the past before the future."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ranking.judged import Judged

GROUP_SIZE = 250
"""Most candidates of a group: every relevant one and a uniform sample of the rest. Keeping the best fused
instead teaches that what is fused last is relevant, for only the relevant would be kept from there."""


@dataclass(frozen=True, slots=True, eq=False)
class TrainingSet:
    """features [rows, F]; gains int32 [rows]; groups int32 [g], rows of each request, in time order."""

    features: NDArray[np.float32]
    gains: NDArray[np.int32]
    groups: NDArray[np.int32]

    def split(self, share: float) -> tuple["TrainingSet", "TrainingSet"]:
        """The first `share` of the groups, and the rest, which came later."""
        at = int(len(self.groups) * share)
        row = int(self.groups[:at].sum())
        first = TrainingSet(self.features[:row], self.gains[:row], self.groups[:at])
        return first, TrainingSet(self.features[row:], self.gains[row:], self.groups[at:])


def training_set_of(requests: Iterable[Judged], seed: int = 0) -> TrainingSet:
    """Requests of which no candidate was relevant teach nothing and are left out."""
    features, gains = [], []
    rng = np.random.default_rng(seed)
    for judged in requests:
        of_all = judged.candidate_gains()
        if not (of_all > 0).any():
            continue
        irrelevant = rng.permutation(np.flatnonzero(of_all == 0))[:GROUP_SIZE]
        kept = np.sort(np.concatenate([np.flatnonzero(of_all > 0), irrelevant]))
        features.append(judged.features[kept])
        gains.append(of_all[kept].astype(np.int32))
    if not features:
        raise ValueError("no replayed request has a relevant candidate; load more events, or longer ones")
    groups = np.array([len(each) for each in gains], np.int32)
    return TrainingSet(np.concatenate(features), np.concatenate(gains), groups)
