"""Calibration: probabilities that are what happens, in the order of the scores."""

import numpy as np
import pytest

from reelrank.ranking.evaluation.metrics import logloss
from reelrank.ranking.features.compute import FEATURE_NAMES
from reelrank.ranking.rankers.calibration import Calibration, fit_calibration
from reelrank.ranking.rankers.lambdarank import FusedOrder, LambdaRank, get_probability_function
from reelrank.ranking.training.dataset import TrainingSet
from reelrank.ranking.training.lambdarank import train_ranker

RNG = np.random.default_rng(6)


def simulate_scores(n: int, slope: float, intercept: float) -> tuple[np.ndarray, np.ndarray]:
    scores = RNG.normal(size=n).astype(np.float32)
    return scores, RNG.random(n) < 1 / (1 + np.exp(-(slope * scores + intercept)))


def test_what_made_the_outcomes_is_found_again() -> None:
    found = fit_calibration(*simulate_scores(40_000, 1.5, -3.0), np.ones(40_000, np.float32))
    assert found is not None
    assert (found.slope, found.intercept) == pytest.approx((1.5, -3.0), abs=0.15)


def test_a_sample_that_says_for_how_many_it_stands_gives_the_same_as_all() -> None:
    scores, wanted = simulate_scores(60_000, 1.5, -3.0)
    kept = wanted | (RNG.random(60_000) < 0.1)
    weights = np.where(wanted, 1, 10).astype(np.float32)
    every = fit_calibration(scores, wanted, np.ones(60_000, np.float32))
    sample = fit_calibration(scores[kept], wanted[kept], weights[kept])
    assert every is not None
    assert sample is not None
    assert (sample.slope, sample.intercept) == pytest.approx((every.slope, every.intercept), abs=0.15)


def test_the_order_of_scores_stays() -> None:
    scores = np.sort(RNG.normal(size=100)).astype(np.float32)
    assert (np.diff(Calibration(slope=2, intercept=-1).to_probabilities(scores)) >= 0).all()


def test_scores_that_put_the_wanted_last_give_the_share_of_the_wanted() -> None:
    scores, wanted = simulate_scores(20_000, 1.5, -3.0)
    found = fit_calibration(-scores, wanted, np.ones(20_000, np.float32))
    assert found is not None
    assert found.to_probabilities(scores[:3]) == pytest.approx([wanted.mean()] * 3, rel=1e-4)


@pytest.mark.parametrize("wanted", [np.zeros(5, bool), np.ones(5, bool)])
def test_nothing_to_tell_apart_gives_no_calibration(wanted: np.ndarray) -> None:
    assert fit_calibration(np.arange(5, dtype=np.float32), wanted, np.ones(5, np.float32)) is None


def test_a_score_far_out_is_a_probability_still() -> None:
    probabilities = Calibration(slope=5, intercept=0).to_probabilities(np.array([-1e9, 1e9], np.float32))
    assert probabilities.tolist() == [0, 1]


def test_probabilities_of_a_trained_ranker_beat_the_base_rate() -> None:
    groups, size = 200, 30
    features = RNG.normal(size=(groups * size, 3)).astype(np.float32)
    gains = (RNG.random(groups * size) < 1 / (1 + np.exp(4 - 2 * features[:, 0]))).astype(np.int32)
    training = TrainingSet(features, gains, np.full(groups, size, np.int32))
    trained = train_ranker(training, FEATURE_NAMES[:3], params={"num_threads": 1})
    ranker = LambdaRank("tried", FEATURE_NAMES[:3], trained.model_text)
    assert get_probability_function(ranker) is None
    ranker.calibration = trained.calibration
    probability = get_probability_function(ranker)
    assert probability is not None
    stated = probability(ranker.score(features))
    assert stated.mean() == pytest.approx(gains.mean(), rel=0.3)
    happened = gains.astype(np.float32)
    assert logloss(stated, happened) < logloss(np.full(len(gains), gains.mean()), happened)


def test_engine_order_has_no_probability() -> None:
    assert get_probability_function(FusedOrder()) is None
