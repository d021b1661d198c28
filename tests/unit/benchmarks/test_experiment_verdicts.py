"""Experiments whose truth is known get the right verdict: made-up ones from the lake on, others over HTTP."""

import pytest

from benchmarks.experiments.made_up_verdicts import CASES, find_verdict
from benchmarks.experiments.verdicts import EXPECTED, run_verdicts

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", list(CASES))
def test_each_made_up_experiment_gets_its_verdict(name: str) -> None:
    made_up, expected = CASES[name]
    assert find_verdict(made_up)[0] is expected


def test_four_experiments_over_http_get_their_verdicts_on_their_pages() -> None:
    """Viewers of the simulator and a service of one worker; about a minute of CPU."""
    outcomes = {one.name: one for one in run_verdicts()}
    assert {name: one.verdict for name, one in outcomes.items()} == EXPECTED
    assert all(one.is_on_page for one in outcomes.values())
