"""Rates are measured on the project at hand, and nothing of it is recorded."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from reelrank.app.capacity import measurement
from reelrank.app.capacity.assumptions import build_assumptions
from reelrank.app.capacity.made_up_pages import PageSizes
from reelrank.ranking.progress import ignore_progress
from tests.sample_project import build_project

pytestmark = pytest.mark.slow


def test_rates_of_a_project_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measurement, "MADE_UP_PAGES", 40)
    monkeypatch.setattr(measurement, "STORED_EVENTS", 2_000)
    monkeypatch.setattr(measurement, "PAGES", 5)
    container = build_project(tmp_path / "data", datetime.now(UTC))
    before = sum(batch.num_rows for batch in container.events.scan(0, 2**62))
    given, _ = build_assumptions({"page_items": 20}, {})
    rates = measurement.measure_rates(container.settings, given, ignore_progress)
    assert set(rates) == {"request_ms", "candidate_us", "response_bytes", "learning_s", "store_event_bytes"}
    assert all("this machine" in rate.source for rate in rates.values())
    assert rates["request_ms"].value > 0
    assert 1_000 < rates["response_bytes"].value < 100_000
    assert sum(batch.num_rows for batch in container.events.scan(0, 2**62)) == before
    assert not (tmp_path / "data" / "lake").exists()


def test_learning_is_measured_through_the_lake() -> None:
    assert 0 < measurement.measure_learning(PageSizes(20, shown=20, group=50)) < 1_000
