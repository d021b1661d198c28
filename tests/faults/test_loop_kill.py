"""kill -9 of the loop in each state while a service answers; `benchmarks loop-kills` does it often."""

from pathlib import Path

import pytest

from benchmarks.loop_faults.loop_kills import STEPS, kill_in_each_state

pytestmark = pytest.mark.slow


def test_a_loop_that_is_killed_in_each_state_completes_its_run(tmp_path: Path) -> None:
    findings = kill_in_each_state(tmp_path / "data", 1, seed=0)
    assert findings.problems == []
    assert findings.kills == dict.fromkeys(STEPS, 1)
    pages = findings.pages
    assert pages.answered > 0
    assert (pages.failed, pages.incomplete, pages.mixed) == (0, 0, 0), pages.first_problem
    assert len(pages.pairs) >= 1
