"""EASE: one closed-form regression of each item on all others (Steck 2019, "Embarrassingly Shallow
Autoencoders for Sparse Data").

With X [viewers, items], the inverse P of X'X + l2 I gives the weights B = I - P / diag(P), and a viewer's
scores are x B. P is held in the smaller of two forms: items x items, or viewers x viewers by the Woodbury
identity, P = (I - X' (X X' + l2 I)^-1 X) / l2, so that few viewers with many items need no matrix of items.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack
from scipy.sparse import csr_matrix, eye_array

MAX_ITEMS = 10_000
"""Most watched items that get weights: a matrix of their pairs is 400 MB in float32."""
L2 = 500.0
"""Of Steck's values for three data sets (200, 500 and 1,000) the middle one. It is not tuned."""
Floats = NDArray[np.float32]
Items = NDArray[np.intp]


class Precision(Protocol):
    """The matrix P [k, k], the inverse of X'X + l2 I."""

    diagonal: Floats

    def multiply(self, rows: csr_matrix) -> Floats:
        """Returns rows [n, k] times P."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Ease:
    """Weights between k items. items [k]: their columns in the fitted matrix, in increasing order."""

    items: Items
    precision: Precision

    def compute_scores(self, user_items: csr_matrix) -> Floats:
        """Returns scores [n, k] of histories [n, all items of the fitted matrix]."""
        return self._multiply(user_items[:, self.items])

    def compute_weights(self, positions: Items) -> Floats:
        """Returns B [n, k] for items at these positions of `items`: what a watch of each adds to every score.

        An item adds nothing to its own score.
        """
        unit_rows = csr_matrix(eye_array(len(self.items), dtype=np.float32, format="csr")[positions])
        weights = self._multiply(unit_rows)
        weights[np.arange(len(positions)), positions] = 0.0
        return weights

    def _multiply(self, rows: csr_matrix) -> Floats:
        products = self.precision.multiply(rows)
        products /= -self.precision.diagonal
        histories = rows.tocoo()
        products[histories.row, histories.col] += histories.data
        return products


def fit_ease(user_items: csr_matrix, l2: float = L2, max_items: int = MAX_ITEMS) -> Ease:
    """Fits EASE to a matrix [users, items] of weights of watches, each pair at most once.

    Only the `max_items` items with most watches take part; of equal ones the first.
    """
    counts = user_items.getnnz(axis=0)
    items = np.sort(np.argsort(-counts, kind="stable")[:max_items])
    matrix = csr_matrix(user_items[:, items[counts[items] > 0]], dtype=np.float32)
    items = items[counts[items] > 0]
    users = np.flatnonzero(matrix.getnnz(axis=1))
    matrix = matrix[users]
    dense = _DualPrecision if len(users) < len(items) else _PrimalPrecision
    return Ease(items, dense(matrix, l2))


class _PrimalPrecision:
    """P itself, [items, items]."""

    def __init__(self, matrix: csr_matrix, l2: float) -> None:
        self._inverse = _invert((matrix.T @ matrix).toarray(), l2)
        self.diagonal: Floats = np.diag(self._inverse).copy()

    def multiply(self, rows: csr_matrix) -> Floats:
        return np.asarray(rows @ self._inverse, np.float32)


class _DualPrecision:
    """P by the inverse of X X' + l2 I, [viewers, viewers]."""

    def __init__(self, matrix: csr_matrix, l2: float) -> None:
        self._matrix, self._l2 = matrix, l2
        self._inverse = _invert((matrix @ matrix.T).toarray(), l2)
        explained = matrix.T @ self._inverse  # [items, viewers]
        explained_share = np.asarray(matrix.T.multiply(explained).sum(axis=1), np.float32).ravel()
        self.diagonal: Floats = (1.0 - explained_share) / np.float32(l2)

    def multiply(self, rows: csr_matrix) -> Floats:
        common = np.asarray((rows @ self._matrix.T) @ self._inverse, np.float32)
        products = np.asarray(self._matrix.T @ common.T, np.float32).T
        return np.asarray((rows.toarray() - products) / self._l2, np.float32)


def _invert(gram: Floats, l2: float) -> Floats:
    """Returns the inverse of a symmetric matrix plus l2 on its diagonal, by Cholesky in float32.

    The matrix is overwritten. Its condition is at most its largest eigenvalue over l2, a few thousand.
    """
    gram[np.diag_indices_from(gram)] += l2
    factor, failed = lapack.spotrf(np.asfortranarray(gram), lower=1, overwrite_a=1)
    inverse, _ = lapack.spotri(factor, lower=1, overwrite_c=1)
    if failed:  # a positive l2 makes the matrix positive definite
        raise ValueError(f"l2 is {l2:g}; EASE needs one above 0")
    lower = np.tril(inverse)
    return np.asarray(lower + np.tril(lower, -1).T, np.float32)
