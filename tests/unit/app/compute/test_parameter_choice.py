"""Parameters are chosen by cross-validation over whole requests, within a budget, and recorded."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest

from reelrank.app.compute import parameter_choice
from reelrank.app.compute.parameter_choice import (
    CHOSEN_FROM,
    TRIED,
    ParameterChoice,
    choose_params,
    cross_validate,
    thin_groups,
)
from reelrank.ranking.training.dataset import TrainingSet

NAMES = ("useful", "noise")


def build_rows(groups: int, size: int = 10) -> TrainingSet:
    rng = np.random.default_rng(0)
    features = rng.random((groups * size, 2)).astype(np.float32)
    first = features[:, 0].reshape(groups, size).argmax(axis=1) + np.arange(groups) * size
    gains = np.zeros(groups * size, np.int32)
    gains[first] = 1
    return TrainingSet(features, gains, np.full(groups, size, np.int32))


def tell_seconds(step: float) -> Iterator[float]:
    now = 0.0
    while True:
        yield now
        now += step


@pytest.mark.parametrize(("budget_s", "tried"), [(0.0, 0), (0.5, 1), (35.0, 3), (1000.0, len(TRIED))])
def test_the_budget_limits_what_is_tried(
    monkeypatch: pytest.MonkeyPatch, budget_s: float, tried: int
) -> None:
    monkeypatch.setattr(parameter_choice, "cross_validate", lambda _rows, _names, params: float(len(params)))
    clock = tell_seconds(5.0)
    choice = choose_params(build_rows(30), NAMES, budget_s, tell_s=lambda: next(clock))
    assert len(choice.tried) == tried
    assert [one.params for one in choice.tried[:1]] == [{}] * min(tried, 1)
    assert choice.params == max((one.params for one in choice.tried), key=len, default={})


def test_the_manifest_says_from_which_parameters_they_were_chosen() -> None:
    choice = ParameterChoice(
        {"num_leaves": 7}, (parameter_choice.TriedParams({"num_leaves": 7}, 0.51239),), 40
    )
    stated: Mapping[str, Any] = choice.describe()[CHOSEN_FROM]
    assert stated == {"folds": 3, "requests": 40, "tried": [{"params": {"num_leaves": 7}, "ndcg@10": 0.5124}]}
    assert ParameterChoice().describe() == {}


def test_whole_requests_are_thinned_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parameter_choice, "MAX_ROWS", 50)
    thinned = thin_groups(build_rows(20))
    assert thinned.groups.tolist() == [10] * 5
    assert thin_groups(build_rows(5)).groups.tolist() == [10] * 5


@pytest.mark.slow
def test_every_request_is_measured_in_the_fold_that_held_it_out() -> None:
    assert cross_validate(build_rows(150), NAMES, {"num_threads": 1}) > 0.8
