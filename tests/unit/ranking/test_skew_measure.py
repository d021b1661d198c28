"""Equal and skewed values of features, and the sentences about them."""

import numpy as np
import pytest

from reelrank.ranking.evaluation.served.skew import ComparedValues, describe_skew, find_equal, measure_skew

NAN = float("nan")
GROUPS = {"times_shown": "past impressions", "year": "attributes"}


def compare(
    logged: list[list[float]], earlier: list[list[float]], later: list[list[float]]
) -> ComparedValues:
    numbers = range(len(logged))
    return ComparedValues(
        np.array(logged, np.float32),
        np.array(earlier, np.float32),
        np.array(later, np.float32),
        [f"r{n}" for n in numbers],
        [f"i{n}" for n in numbers],
    )


def test_a_value_between_those_of_two_states_is_equal() -> None:
    values = compare([[1.5], [1.0], [3.0], [2.00001]], [[1.0]] * 4, [[2.0]] * 4)
    assert find_equal(values)[:, 0].tolist() == [True, True, False, True]


def test_a_missing_value_equals_a_missing_one_only() -> None:
    values = compare([[NAN], [NAN], [0.0], [1.0]], [[NAN], [0.0], [NAN], [NAN]], [[1.0], [0.0], [NAN], [1.0]])
    assert find_equal(values)[:, 0].tolist() == [True, False, False, True]


def test_skewed_features_are_named_with_their_share_and_a_reason() -> None:
    values = compare([[1, 1990], [2, 1990]], [[1, 1990], [5, 1990]], [[1, 1990], [5, 1990]])
    features = measure_skew(values, GROUPS)
    assert [(f.feature, f.equal) for f in features] == [("times_shown", 0.5), ("year", 1.0)]
    (sentence,) = describe_skew(features)
    assert sentence.startswith("times_shown (50.0%) differ")
    assert "impressions of the viewer" in sentence
    assert sentence.endswith("item i1 of request r1: logged 2, again 5")
    assert describe_skew(features, tolerance=0.5) == []


def test_without_values_there_is_nothing_to_compare() -> None:
    with pytest.raises(ValueError, match="no values"):
        measure_skew(compare([], [], []), GROUPS)
