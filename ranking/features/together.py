"""Features of one formula are derived in one go: a call of numpy costs as much as a thousand values in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from ranking.column import Column
from ranking.features.declare import Columns, Feature, Formula, observed

Places = int | slice | list[int]
"""Where features are among those asked for; those that follow each other are written as one piece."""


@dataclass(frozen=True, slots=True, eq=False)
class Together:
    """k features of one formula: for each column it takes k signals, for each constant k numbers [k, 1]."""

    formula: Formula
    reads: tuple[tuple[str, ...], ...]
    constants: tuple[Column, ...]

    def derive(self, columns: Columns) -> Column:
        """[k, n], or [k, 1] where all candidates share all that is read."""
        blocks = (stacked([columns[name] for name in names]) for names in self.reads)
        return self.formula(*blocks, *self.constants)


@dataclass(frozen=True, slots=True)
class Steps:
    """What gives some features. observed: signals that are features as they are, each with its place."""

    observed: Sequence[tuple[int, str]]
    derived: Sequence[tuple[Places, Feature | Together]]
    reads: frozenset[str]
    """The signals that features are derived from."""


@cache
def steps(features: tuple[Feature, ...]) -> Steps:
    places: dict[Formula, list[int]] = {}
    for place, feature in enumerate(features):
        places.setdefault(feature.formula, []).append(place)
    as_they_are = [(place, features[place].reads[0]) for place in places.pop(observed, [])]
    alike = [(_piece(at), [features[place] for place in at]) for at in places.values()]
    reads = frozenset(signal for _, group in alike for feature in group for signal in feature.reads)
    return Steps(as_they_are, [(at, _together(group)) for at, group in alike], reads)


def stacked(columns: Sequence[Column]) -> Column:
    """[k, n] of k columns [n] or [1], or [k, 1] where none is longer."""
    rows = np.empty((len(columns), max(map(len, columns))), np.float32)
    for row, column in zip(rows, columns, strict=True):
        row[:] = column
    return rows


def _together(features: Sequence[Feature]) -> Feature | Together:
    if len(features) == 1:
        return features[0]
    reads = tuple(zip(*(feature.reads for feature in features), strict=True))
    constants = np.array([feature.constants for feature in features], np.float32).T[..., np.newaxis]
    return Together(features[0].formula, reads, tuple(constants))


def _piece(places: list[int]) -> Places:
    piece = slice(places[0], places[-1] + 1)
    if len(places) == 1:
        return places[0]
    return piece if len(places) == piece.stop - piece.start else places
