"""Chooses parameters of a trainer on training queries only, by cross-validation over whole queries."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reelrank.ranking.progress import Progress

FOLDS = 5
Params = Mapping[str, Any]
FoldScorer = Callable[[NDArray[np.intp], NDArray[np.intp], Params], NDArray[np.float64]]
"""Trains on the queries of the first indices and returns a measure of each query of the second."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The parameters with the best mean over all training queries, each measured in its held-out fold."""

    params: dict[str, Any]
    score: float
    tried: tuple[tuple[dict[str, Any], float], ...]


def choose(
    grid: Mapping[str, Sequence[Any]], query_count: int, score_fold: FoldScorer, progress: Progress
) -> Choice:
    """Returns the best combination of `grid`; of equal ones the first."""
    combinations = [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]
    tried = []
    for done, params in enumerate(combinations):
        tried.append((params, cross_validate(query_count, score_fold, params)))
        progress("choosing parameters", done + 1, len(combinations))
    best = max(tried, key=lambda pair: pair[1])
    return Choice(*best, tuple(tried))


def cross_validate(query_count: int, score_fold: FoldScorer, params: Params) -> float:
    """Returns the mean over all queries; the folds are the same for every combination."""
    shuffled = np.random.default_rng(0).permutation(query_count)
    folds = [np.sort(shuffled[fold::FOLDS]) for fold in range(FOLDS)]
    queries = np.arange(query_count)
    measured = [score_fold(np.setdiff1d(queries, fold), fold, params) for fold in folds]
    return float(np.concatenate(measured).mean())
