"""EASE agrees with a plain inversion of the definition, in both of its forms."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from reelrank.ranking.embeddings.ease import fit_ease


def make_watches(users: int, items: int, seed: int) -> csr_matrix:
    rng = np.random.default_rng(seed)
    dense = (rng.random((users, items)) < 0.3).astype(np.float32)
    dense[0] = 1.0  # every item is watched by at least one viewer
    return csr_matrix(dense)


def invert_by_definition(watches: csr_matrix, l2: float) -> NDArray[np.float64]:
    dense = watches.toarray().astype(np.float64)
    precision = np.linalg.inv(dense.T @ dense + l2 * np.eye(dense.shape[1]))
    weights = -precision / np.diag(precision)
    np.fill_diagonal(weights, 0.0)
    return weights


SHAPES = [(12, 30), (30, 12), (20, 20), (1, 5), (5, 1)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("l2", [0.5, 50.0])
def test_weights_equal_those_of_the_definition(shape: tuple[int, int], l2: float) -> None:
    watches = make_watches(*shape, seed=sum(shape))
    ease = fit_ease(watches, l2)
    weights = ease.compute_weights(np.arange(shape[1]))
    np.testing.assert_allclose(weights, invert_by_definition(watches, l2), rtol=2e-3, atol=2e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_scores_are_the_sum_of_the_weights_of_a_history(shape: tuple[int, int]) -> None:
    watches = make_watches(*shape, seed=3)
    expected = watches.toarray() @ invert_by_definition(watches, 2.0)
    np.testing.assert_allclose(fit_ease(watches, 2.0).compute_scores(watches), expected, rtol=2e-3, atol=1e-4)


def test_a_viewer_who_was_not_fitted_is_scored() -> None:
    watches = make_watches(8, 20, seed=1)
    history = csr_matrix(np.eye(20, dtype=np.float32)[[4]])
    expected = invert_by_definition(watches, 1.0)[4]
    np.testing.assert_allclose(fit_ease(watches, 1.0).compute_scores(history)[0], expected, atol=1e-4)


def test_only_the_most_watched_items_take_part() -> None:
    watches = csr_matrix(np.array([[1, 0, 1, 0], [1, 0, 1, 1], [0, 0, 1, 0]], np.float32))
    assert fit_ease(watches, 1.0, max_items=2).items.tolist() == [0, 2]
    assert fit_ease(watches, 1.0).items.tolist() == [0, 2, 3], "nobody watched the second item"


def test_nothing_watched_gives_no_items() -> None:
    ease = fit_ease(csr_matrix(np.zeros((3, 4), np.float32)))
    assert ease.compute_scores(csr_matrix(np.zeros((2, 4), np.float32))).shape == (2, 0)


def test_a_penalty_of_zero_is_refused_where_it_has_no_solution() -> None:
    with pytest.raises(ValueError, match="l2"):
        fit_ease(csr_matrix(np.ones((4, 3), np.float32)), 0.0)
