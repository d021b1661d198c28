"""The requests that a gate judges on, and how two rankers order them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reelrank.ranking.evaluation.metrics import compute_ndcg_by_group
from reelrank.ranking.rankers.lambdarank import FusedOrder, Ranker

K = 10
"""Results that count, as in the other measures of this project."""

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class GateRequests:
    """Shown and seen items of g requests, one after another, in the order that was shown.

    features [rows, F] float32 in the order of `names`; gains [rows] int32; groups [g]: rows of each request;
    viewers [g]: whose request it is.
    """

    names: tuple[str, ...]
    features: NDArray[np.float32]
    gains: NDArray[np.int32]
    groups: NDArray[np.int32]
    viewers: NDArray[np.str_]

    @property
    def request_of_row(self) -> NDArray[np.intp]:
        return np.repeat(np.arange(len(self.groups)), self.groups)

    @property
    def viewer_count(self) -> int:
        return len(np.unique(self.viewers))

    def select_features(self, names: tuple[str, ...]) -> NDArray[np.float32]:
        """Returns the columns of a model. Raises KeyError for a feature that was not logged."""
        if lacking := sorted(set(names) - set(self.names)):
            raise KeyError(f"the newest requests lack {', '.join(lacking)}")
        return self.features[:, [self.names.index(name) for name in names]]

    def score(self, ranker: Ranker) -> NDArray[np.float32]:
        """Returns the scores [rows] of a ranker; the fused order keeps what was shown."""
        if ranker.name == FusedOrder.name:
            return -np.arange(len(self.gains), dtype=np.float32)
        return ranker.score(self.select_features(ranker.feature_names))

    def select_answered(self) -> "GateRequests":
        """Returns the requests that led to something: only they say which order is better."""
        request = self.request_of_row
        answered = np.bincount(request, self.gains > 0, minlength=len(self.groups)) > 0
        rows = answered[request]
        return GateRequests(
            self.names, self.features[rows], self.gains[rows], self.groups[answered], self.viewers[answered]
        )


def measure_ndcg(requests: GateRequests, scores: NDArray[np.floating], k: int = K) -> Values:
    """Returns NDCG@k [g] of the order of scores [rows]; ties keep the given order. 0 without a gain."""
    return compute_ndcg_by_group(scores, requests.gains, requests.groups, k)


def measure_auc(requests: GateRequests, scores: NDArray[np.floating]) -> float:
    """Returns the share of (wanted, unwanted) pairs within a request that scores put right.

    Only pairs of one request count, a tie counts half. 0.5 without any pair. NaN is below every value.
    """
    values = np.nan_to_num(np.asarray(scores, np.float64), nan=-np.inf)
    request, wanted = requests.request_of_row, requests.gains > 0
    won = pairs = 0.0
    order = np.lexsort((values, request))
    starts = np.flatnonzero(np.diff(request[order], prepend=-1))
    for rows in np.split(order, starts[1:]):
        good, bad = values[rows][wanted[rows]], values[rows][~wanted[rows]]
        if len(good) and len(bad):
            below = np.searchsorted(bad, good, "left")
            upto = np.searchsorted(bad, good, "right")
            won += float(below.sum() + (upto - below).sum() / 2)
            pairs += len(good) * len(bad)
    return won / pairs if pairs else 0.5
