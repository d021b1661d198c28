"""Choosing a trainer's parameters on training queries alone, by cross-validation over whole queries."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranking.progress import Progress

FOLDS = 5
Params = Mapping[str, Any]
Held = Callable[[NDArray[np.intp], NDArray[np.intp], Params], NDArray[np.float64]]
"""Trains on the queries of the first places and gives a measure of each query of the second."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The parameters with the best mean over all training queries, each measured while held out."""

    params: dict[str, Any]
    measured: float
    tried: tuple[tuple[dict[str, Any], float], ...]


def choose(grid: Mapping[str, Sequence[Any]], queries: int, held: Held, progress: Progress) -> Choice:
    """The best of every combination in `grid`; of equals the first."""
    combinations = [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]
    tried = []
    for done, params in enumerate(combinations):
        tried.append((params, cross_validated(queries, held, params)))
        progress("choosing parameters", done + 1, len(combinations))
    best = max(tried, key=lambda pair: pair[1])
    return Choice(*best, tuple(tried))


def cross_validated(queries: int, held: Held, params: Params) -> float:
    """The mean over all queries; the folds are the same for every combination."""
    places = np.random.default_rng(0).permutation(queries)
    folds = [np.sort(places[fold::FOLDS]) for fold in range(FOLDS)]
    everyone = np.arange(queries)
    measured = [held(np.setdiff1d(everyone, fold), fold, params) for fold in folds]
    return float(np.concatenate(measured).mean())
