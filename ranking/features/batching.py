"""Features of one formula are derived in one go: a call of numpy costs as much as a thousand values in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from reelrank.ranking.column import Column
from reelrank.ranking.features.declare import Columns, Feature, Formula, passthrough

Positions = int | slice | list[int]
"""Where features are among those asked for; those that follow each other are written as one piece."""


@dataclass(frozen=True, slots=True, eq=False)
class FeatureBatch:
    """k features of one formula: for each column it takes k signals, for each constant k numbers [k, 1]."""

    formula: Formula
    reads: tuple[tuple[str, ...], ...]
    constants: tuple[Column, ...]

    def derive(self, columns: Columns) -> Column:
        """[k, n], or [k, 1] where all candidates share all that is read."""
        blocks = (stack_columns([columns[name] for name in names]) for names in self.reads)
        return self.formula(*blocks, *self.constants)


@dataclass(frozen=True, slots=True)
class EvaluationPlan:
    """What gives some features. observed: signals that are features as they are, each with its place."""

    passthrough: Sequence[tuple[int, str]]
    computed: Sequence[tuple[Positions, Feature | FeatureBatch]]
    reads: frozenset[str]
    """The signals that features are derived from."""


@cache
def plan_evaluation(features: tuple[Feature, ...]) -> EvaluationPlan:
    places: dict[Formula, list[int]] = {}
    for place, feature in enumerate(features):
        places.setdefault(feature.formula, []).append(place)
    as_they_are = [(place, features[place].reads[0]) for place in places.pop(passthrough, [])]
    alike = [(_to_selector(at), [features[place] for place in at]) for at in places.values()]
    reads = frozenset(signal for _, group in alike for feature in group for signal in feature.reads)
    return EvaluationPlan(as_they_are, [(at, _batch_features(group)) for at, group in alike], reads)


def stack_columns(columns: Sequence[Column]) -> Column:
    """[k, n] of k columns [n] or [1], or [k, 1] where none is longer."""
    rows = np.empty((len(columns), max(map(len, columns))), np.float32)
    for row, column in zip(rows, columns, strict=True):
        row[:] = column
    return rows


def _batch_features(features: Sequence[Feature]) -> Feature | FeatureBatch:
    if len(features) == 1:
        return features[0]
    reads = tuple(zip(*(feature.reads for feature in features), strict=True))
    constants = np.array([feature.constants for feature in features], np.float32).T[..., np.newaxis]
    return FeatureBatch(features[0].formula, reads, tuple(constants))


def _to_selector(positions: list[int]) -> Positions:
    piece = slice(positions[0], positions[-1] + 1)
    if len(positions) == 1:
        return positions[0]
    return piece if len(positions) == piece.stop - piece.start else positions
