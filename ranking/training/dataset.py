"""Training sets: judged requests as one matrix with a group of rows per request, in the order of time.

The gain of a watch is its grade in `ranking/labels/grades.py`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reelrank.ranking.evaluation.judged_request import JudgedRequest

GROUP_SIZE = 100
"""Maximum number of irrelevant candidates per group: a uniform sample, beside all relevant ones. If the first
in fused order were taken instead, candidates with a low fused rank would all be relevant, and the model would
learn that. 100 rank the demo as well as 250 (NDCG@10 on held-out training requests: 0.303 and 0.302) and
train in half the time."""

Group = tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.float32]]
"""Features [rows, F], gains [rows] and weights [rows] of one request."""

FITTED_SHARE = 0.85
"""The last 15 % of the training requests are used for early stopping and calibration. They precede the
evaluation requests, which are used for neither."""


@dataclass(frozen=True, slots=True, eq=False)
class ShownAt:
    """Where rows were shown: positions int32 [rows] from 0, -1 for an item that was not shown; propensities
    float32 [rows] of exploration slots, NaN elsewhere. importance float32 [rows]: weights of the rows for the
    order, in place of their positions; None without.
    """

    positions: NDArray[np.int32]
    propensities: NDArray[np.float32]
    importance: NDArray[np.float32] | None = None

    def take(self, rows: NDArray[np.intp] | slice) -> "ShownAt":
        importance = None if self.importance is None else self.importance[rows]
        return ShownAt(self.positions[rows], self.propensities[rows], importance)


@dataclass(frozen=True, slots=True, eq=False)
class TrainingSet:
    """Rows of g requests in the order of time, with F features.

    features [rows, F]. gains int32 [rows]. groups int32 [g]: number of rows of each request. weights
    float32 [rows]: number of candidates that a row represents; None means 1 each. fitted_share: of the
    groups, those that are fitted; the later ones stop the training early and calibrate. shown: of logged
    rows. held_out_ms: the times [from, to) of the requests that are not fitted; None where not known.
    """

    features: NDArray[np.float32]
    gains: NDArray[np.int32]
    groups: NDArray[np.int32]
    weights: NDArray[np.float32] | None = None
    fitted_share: float = FITTED_SHARE
    shown: ShownAt | None = None
    held_out_ms: tuple[int, int] | None = None

    def split(self, share: float | None = None) -> tuple["TrainingSet", "TrainingSet"]:
        """Splits into the first `share` of the groups, by default the fitted one, and the later rest."""
        group = int(len(self.groups) * (self.fitted_share if share is None else share))
        row = int(self.groups[:group].sum())
        return self.take(slice(None, row), self.groups[:group]), self.take(
            slice(row, None), self.groups[group:]
        )

    def take(self, rows: NDArray[np.intp] | slice, groups: NDArray[np.int32]) -> "TrainingSet":
        """Returns these rows, in groups of these sizes."""
        return TrainingSet(
            self.features[rows],
            self.gains[rows],
            groups,
            None if self.weights is None else self.weights[rows],
            shown=None if self.shown is None else self.shown.take(rows),
        )

    def select_groups(self, chosen: NDArray[np.bool_]) -> "TrainingSet":
        """Returns the chosen [g] groups with all of their rows."""
        return self.take(np.flatnonzero(np.repeat(chosen, self.groups)), self.groups[chosen])

    def drop_groups_without_relevant(self) -> "TrainingSet":
        """Drops groups without a relevant row: they have no pairs to learn from."""
        return self.select_groups(self.find_answered())

    def find_answered(self) -> NDArray[np.bool_]:
        """Returns which groups [g] have a relevant row."""
        group_of_row = np.repeat(np.arange(len(self.groups)), self.groups)
        return np.asarray(np.bincount(group_of_row, self.gains > 0, minlength=len(self.groups)) > 0)

    def get_row_weights(self) -> NDArray[np.float32]:
        """Returns the weights [rows], ones where none are set."""
        return np.ones(len(self.gains), np.float32) if self.weights is None else self.weights


def build_training_set(requests: Iterable[JudgedRequest], seed: int = 0) -> TrainingSet:
    """Samples candidates of each request. Raises ValueError when no request has a relevant candidate."""
    rng = np.random.default_rng(seed)
    parts, at_ms = list[Group](), list[int]()
    for judged in requests:
        if len(judged.candidates):
            parts.append(_build_group(judged, rng))
            at_ms.append(judged.request.query.context.at_ms)
    if not any(gains.any() for _, gains, _ in parts):
        raise ValueError(
            "no request of the training period has a relevant candidate, so there is nothing to learn from; "
            "load more watch events, and check that their item ids are in the catalogue"
        )
    features, gains, weights = (np.concatenate(column) for column in zip(*parts, strict=True))
    groups = np.array([len(gains) for _, gains, _ in parts], np.int32)
    held_out_ms = at_ms[int(len(groups) * FITTED_SHARE)], at_ms[-1] + 1
    return TrainingSet(features, gains, groups, weights, held_out_ms=held_out_ms)


def _build_group(request: JudgedRequest, rng: np.random.Generator) -> Group:
    gains = request.compute_candidate_gains()
    rows, weights = sample_candidates(gains, rng)
    return request.features[rows], gains[rows].astype(np.int32), weights


def sample_candidates(
    gains: NDArray[np.float32], rng: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Returns all relevant of the candidates [n] and GROUP_SIZE others, by row, with their weights."""
    irrelevant = np.flatnonzero(gains == 0)
    sampled = rng.permutation(irrelevant)[:GROUP_SIZE]
    rows = np.sort(np.concatenate([np.flatnonzero(gains > 0), sampled]))
    weights = np.where(gains[rows] > 0, 1.0, len(irrelevant) / max(len(sampled), 1))
    return rows, weights.astype(np.float32)
