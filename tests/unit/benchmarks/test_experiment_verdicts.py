"""Made-up experiments whose truth is known get the right verdict, from the lake on."""

import pytest

from benchmarks.experiments.made_up_verdicts import CASES, find_verdict

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", list(CASES))
def test_each_made_up_experiment_gets_its_verdict(name: str) -> None:
    made_up, expected = CASES[name]
    assert find_verdict(made_up)[0] is expected
