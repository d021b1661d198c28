"""Training on exploration slots alone: each slot weighs the inverse of its propensity."""

from dataclasses import replace

import numpy as np
import pytest

from reelrank.ranking.training.dataset import ShownAt, TrainingSet
from reelrank.ranking.training.pointwise import MIN_USED, select_explored, train_on_explored
from reelrank.ranking.training.position_bias import MAX_WEIGHT

NAMES = ("wanted", "noise")


def build_rows(propensities: list[float]) -> TrainingSet:
    n = len(propensities)
    shown = ShownAt(np.arange(n, dtype=np.int32), np.array(propensities, np.float32))
    features = np.arange(2 * n, dtype=np.float32).reshape(n, 2)
    return TrainingSet(features, np.arange(n, dtype=np.int32) % 2, np.array([n], np.int32), shown=shown)


def test_slots_alone_are_selected_with_inverse_propensities() -> None:
    rows = select_explored(build_rows([np.nan, 0.5, 0.25, np.nan, 0.001]))
    np.testing.assert_array_equal(rows.features[:, 0], [2, 4, 8])
    np.testing.assert_allclose(rows.get_row_weights(), [1, 2, MAX_WEIGHT])
    assert rows.groups.tolist() == [1, 1, 1]


def test_rows_that_are_not_logged_have_no_slots() -> None:
    assert len(select_explored(replace(build_rows([0.5]), shown=None)).gains) == 0
    assert len(select_explored(build_rows([np.nan, np.nan])).gains) == 0


def test_the_model_learns_what_was_used_in_slots() -> None:
    rng = np.random.default_rng(0)
    n = 6 * MIN_USED
    features = rng.normal(size=(n, 2)).astype(np.float32)
    gains = (features[:, 0] + rng.normal(0, 0.5, n) > 0.8).astype(np.int32)
    rows = TrainingSet(features, gains, np.ones(n, np.int32))
    scores = train_on_explored(rows, NAMES).score(features)
    assert np.corrcoef(scores, features[:, 0])[0, 1] > 0.7


def test_too_few_used_slots_are_refused() -> None:
    with pytest.raises(ValueError, match="1 used exploration slots are too few"):
        train_on_explored(select_explored(build_rows([0.5, 0.5])), NAMES)
