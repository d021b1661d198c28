"""The rate at which exploration slots are used, by a few facts of the item: a Bayesian Poisson regression.

The facts are known when an item is picked and again from its impression event: the page, how far below the
slot the ranking had the item, and how new it is. Equal facts are counted in one cell, so a fit takes as
long after a million slots as after ten.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

OFFSETS = 50
"""Ranks from the slot on that have cells of their own; one further down is in the last."""
AGE_EDGES_DAYS = np.array([1.0, 3.0, 7.0, 14.0, 30.0])
AGE_MIDDLES_DAYS = np.array([0.5, 2.0, 5.0, 10.5, 22.0, np.inf])
NEW_DAYS = 4.0
"""Days after which an item is new by 1 / e. A choice; the regression learns how much it matters."""
SHAPE = 2, OFFSETS, len(AGE_MIDDLES_DAYS)
CELLS = int(np.prod(SHAPE))
PRIOR_MEAN = np.array([np.log(0.05), 0.0, -0.1, 0.0])
PRIOR_PRECISION = np.array([1.0, 4.0, 4.0, 4.0])
"""Before any slot was shown: one use in twenty, a little fewer with each rank, home and similar items alike,
new and old alike. Weak: outweighed by a few uses of slots."""
STEPS = 8
MAX_STEP = 1.0
"""Newton steps of a fit, and their largest change of a weight."""
RULES = (
    SHAPE,
    AGE_EDGES_DAYS.tolist(),
    NEW_DAYS,
    PRIOR_MEAN.tolist(),
    PRIOR_PRECISION.tolist(),
    STEPS,
    MAX_STEP,
)
"""What counts of slots and expectations depend on."""
Floats = NDArray[np.float64]
CellRows = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class SlotRates:
    """The rate of use of each cell [CELLS] for an item of average appeal, and the variance of its log."""

    rates: Floats
    variances: Floats


def locate_cells(is_similar: ArrayLike, offsets: ArrayLike, ages_days: ArrayLike) -> CellRows:
    """Returns the cells [n]. offsets: ranks below the slot, from 0. ages_days: infinite where unknown."""
    age = np.searchsorted(AGE_EDGES_DAYS, np.asarray(ages_days, np.float64), side="right")
    offset = np.clip(np.asarray(offsets, np.int64), 0, OFFSETS - 1)
    cells = np.ravel_multi_index(np.broadcast_arrays(np.asarray(is_similar, np.int64), offset, age), SHAPE)
    return np.asarray(cells, np.intp)


def _describe_cells() -> Floats:
    """Returns the regressors [CELLS, 4]: 1, the page, log rank and newness."""
    similar, offset, age = np.unravel_index(np.arange(CELLS), SHAPE)
    return np.stack(
        [np.ones(CELLS), similar, np.log1p(offset), np.exp(-AGE_MIDDLES_DAYS[age] / NEW_DAYS)], axis=1
    )


REGRESSORS = _describe_cells()


def fit_slot_rates(shown: Floats, used: Floats) -> SlotRates:
    """Fits the regression to the slots shown and used of each cell [CELLS].

    Returns its mode and the normal approximation around it (Laplace): uses are Poisson, and their log rate is
    linear in the regressors, with a normal prior.
    """
    is_known = shown > 0
    x, shown, used = REGRESSORS[is_known], shown[is_known], used[is_known]
    weights = PRIOR_MEAN
    for _ in range(STEPS):
        expected = shown * np.exp(np.minimum(x @ weights, 0.0))
        gradient = x.T @ (used - expected) - PRIOR_PRECISION * (weights - PRIOR_MEAN)
        precision = (x.T * expected) @ x + np.diag(PRIOR_PRECISION)
        weights = weights + np.clip(np.linalg.solve(precision, gradient), -MAX_STEP, MAX_STEP)
    covariance = np.linalg.inv(precision)
    variances = np.einsum("cf,fg,cg->c", REGRESSORS, covariance, REGRESSORS)
    return SlotRates(np.exp(np.minimum(REGRESSORS @ weights, 0.0)), variances)
