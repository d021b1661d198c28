"""Batches features of one formula: a call of numpy costs as much as computing a thousand values."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from reelrank.ranking.column import Column
from reelrank.ranking.features.declare import Columns, Feature, Formula, return_unchanged

Positions = int | slice | list[int]
"""Columns of the requested features; a slice where they are adjacent, so that they are written at once."""


@dataclass(frozen=True, slots=True, eq=False)
class FeatureBatch:
    """k features of one formula: k signals for each of its columns, k numbers [k, 1] for each constant."""

    formula: Formula
    reads: tuple[tuple[str, ...], ...]
    constants: tuple[Column, ...]

    def derive(self, columns: Columns) -> Column:
        """Returns the values [k, n], or [k, 1] where all candidates share every signal that is read."""
        blocks = (stack_columns([columns[name] for name in names]) for names in self.reads)
        return self.formula(*blocks, *self.constants)


@dataclass(frozen=True, slots=True)
class EvaluationPlan:
    """How to compute some features. passthrough: signals that are features unchanged, with their columns."""

    passthrough: Sequence[tuple[int, str]]
    computed: Sequence[tuple[Positions, Feature | FeatureBatch]]
    reads: frozenset[str]
    """The signals that the computed features read."""


@cache
def plan_evaluation(features: tuple[Feature, ...]) -> EvaluationPlan:
    positions: dict[Formula, list[int]] = {}
    for position, feature in enumerate(features):
        positions.setdefault(feature.formula, []).append(position)
    unchanged = [(position, features[position].reads[0]) for position in positions.pop(return_unchanged, [])]
    groups = [(_to_selector(same), [features[position] for position in same]) for same in positions.values()]
    reads = frozenset(signal for _, group in groups for feature in group for signal in feature.reads)
    return EvaluationPlan(unchanged, [(at, _batch_features(group)) for at, group in groups], reads)


def stack_columns(columns: Sequence[Column]) -> Column:
    """Returns one block [k, n] of k columns [n] or [1]; [k, 1] where none is longer."""
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
    """Returns a slice where the positions are adjacent."""
    span = slice(positions[0], positions[-1] + 1)
    if len(positions) == 1:
        return positions[0]
    return span if len(positions) == span.stop - span.start else positions
