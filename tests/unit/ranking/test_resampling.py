"""Handling of imbalance: groups stay whole, odds are told, corrected probabilities are those of the data."""

import numpy as np
import pytest

from reelrank.ranking.evaluation.metrics import logloss
from reelrank.ranking.training.dataset import TrainingSet
from reelrank.ranking.training.pointwise import train_pointwise
from reelrank.ranking.training.resampling import (
    SYNTHETIC,
    THINNED_NEGATIVES,
    Handling,
    compute_odds,
    fill_missing,
    handle_imbalance,
)

GROUP = 50


def make_rows(groups: int, seed: int = 0, weight: float = 1.0) -> TrainingSet:
    """Makes groups in which a row is positive with a probability that its first feature tells."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(groups * GROUP, 4)).astype(np.float32)
    chances = 1 / (1 + np.exp(4 - features[:, 0]))
    gains = (rng.random(len(chances)) < chances).astype(np.int32)
    features[rng.random(features.shape) < 0.1] = np.nan
    weights = np.where(gains > 0, 1.0, weight).astype(np.float32)
    return TrainingSet(features, gains, np.full(groups, GROUP, np.int32), weights)


def is_positive(rows: TrainingSet) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.asarray(rows.gains > 0)


def test_nothing_changes_nothing() -> None:
    rows = make_rows(20)
    handled = handle_imbalance(rows, Handling.NOTHING)
    assert handled.rows is rows
    assert handled.intercept == 0


def test_class_weights_make_both_classes_weigh_the_same() -> None:
    rows = make_rows(20, weight=7.0)
    handled = handle_imbalance(rows, Handling.WEIGHTS)
    assert compute_odds(handled.rows) == pytest.approx(1)
    assert handled.odds_factor == pytest.approx(1 / compute_odds(rows))


def test_thinning_keeps_every_positive_row_in_its_group() -> None:
    rows = make_rows(200)
    handled = handle_imbalance(rows, Handling.THINNING).rows
    positives = np.add.reduceat(rows.gains, np.cumsum(rows.groups) - rows.groups)
    kept = np.add.reduceat(handled.gains, np.cumsum(handled.groups) - handled.groups)
    assert kept[kept > 0].tolist() == positives[positives > 0].tolist()
    assert int(handled.groups.sum()) == len(handled.gains)
    assert compute_odds(handled) == pytest.approx(1 / THINNED_NEGATIVES, rel=0.1)


@pytest.mark.parametrize("handling", SYNTHETIC)
def test_synthetic_rows_lie_between_positive_ones(handling: Handling) -> None:
    rows = make_rows(40)
    handled = handle_imbalance(rows, handling)
    made = handled.rows.features[len(rows.gains) :]
    seen = fill_missing(rows.features)[is_positive(rows)]
    assert handled.synthetic == len(made) > 0
    assert np.isfinite(made).all()
    assert (made >= seen.min(axis=0) - 1e-5).all() and (made <= seen.max(axis=0) + 1e-5).all()
    assert np.array_equal(handled.rows.features[: len(rows.gains)], rows.features, equal_nan=True)


def test_one_class_is_refused() -> None:
    rows = make_rows(2)
    with pytest.raises(ValueError, match="one class"):
        handle_imbalance(TrainingSet(rows.features, rows.gains * 0, rows.groups), Handling.WEIGHTS)


@pytest.mark.slow
@pytest.mark.parametrize("handling", [Handling.WEIGHTS, Handling.THINNING])
def test_correction_restores_the_probabilities(handling: Handling) -> None:
    training, held_out, later = make_rows(400), make_rows(100, seed=1), make_rows(400, seed=2)
    gains = later.gains.astype(np.float32)
    names, losses = ("a", "b", "c", "d"), {}
    for each in (Handling.NOTHING, handling):
        model = train_pointwise(handle_imbalance(training, each), held_out, names)
        assert model.calibration is not None
        scores = model.score(later.features)
        corrected = model.calibration.to_probabilities(scores)
        stated = model.calibration.model_copy(update={"intercept": 0.0}).to_probabilities(scores)
        losses[each] = (logloss(stated, gains), logloss(corrected, gains))
        assert corrected.mean() == pytest.approx(gains.mean(), rel=0.25)
    assert losses[handling][0] > losses[handling][1] + 0.02
    assert losses[handling][1] == pytest.approx(losses[Handling.NOTHING][1], abs=0.01)
