"""Nine simulated hours with each fault once; `python -m benchmarks soak` lives through a day of them."""

from pathlib import Path

import pytest

from benchmarks.loop_faults.soak import run_hours

pytestmark = pytest.mark.slow


def test_a_day_with_faults_loses_nothing_and_leaves_complete_records(tmp_path: Path) -> None:
    outcome = run_hours(tmp_path / "data", hours=9, pages=2, seed=0)
    assert outcome.problems == []
    assert outcome.figures["faults"] == {"worker killed": 1, "engine away": 2, "disk full": 1}
    runs = outcome.figures["runs of the loop"]
    assert isinstance(runs, list)
    assert "8 h: storage_failed" in runs
