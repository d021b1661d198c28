"""The position lab: clicks with known truth, and corrections that are closer to it than no correction."""

import numpy as np
import pytest

from reelrank.app.cli.lab.position_table import print_report
from reelrank.app.simulation.position_lab import (
    NOTHING,
    SIZE,
    WAYS,
    compare_ways,
    measure_truth,
    simulate_clicks,
)


def test_pages_have_one_exploration_slot_and_clicks_of_what_was_looked_at() -> None:
    clicks = simulate_clicks(50, 10, seed=3)
    rows = clicks.rows
    assert rows.shown is not None
    explored = np.isfinite(rows.shown.propensities).reshape(-1, SIZE)
    assert explored.sum(axis=1).tolist() == [1] * 50
    assert not (rows.gains.astype(bool) & ~clicks.is_viewed).any()
    assert ((rows.gains > 0) == (clicks.is_viewed & (clicks.unbiased > 0))).all()
    assert clicks.is_viewed.reshape(-1, SIZE)[:, 0].all()


def test_the_order_of_the_truth_is_the_best() -> None:
    truth = np.array([[0.1, 0.9, 0.5]])
    assert measure_truth(truth.astype(np.float32), truth).tolist() == [1.0]
    assert measure_truth(-truth.astype(np.float32), truth)[0] < 1


@pytest.mark.slow
def test_corrections_are_certainly_closer_to_the_truth(capsys: pytest.CaptureFixture[str]) -> None:
    report = compare_ways(1500, 300)
    rows = {row.way: row for row in report.rows}
    assert set(rows) == {*WAYS} - {"inverse propensities"}  # too few used slots
    assert rows["position parameter"].difference.low > 0
    assert rows["position parameter"].fashion < rows[NOTHING].fashion
    assert rows["only what was looked at"].difference.low > 0
    print_report(report, wide=True)
    assert "Decay of looking at positions: unknown" in capsys.readouterr().out
