"""Skew between serving and training: none in an hour with traffic, and what is said of a planted one."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from reelrank.app.cli.main import app
from reelrank.app.jobs.served.skew import SkewOptions, measure_logged_skew
from reelrank.index_mappings.errors import NotFound
from reelrank.ranking.features.compute import FEATURE_NAMES
from reelrank.ranking.progress import ignore_progress
from tests.raised import raises_code
from tests.sample_project import build_project
from tests.unit.app.jobs.served_hour import ServedHour, serve_hour

pytestmark = pytest.mark.slow

OPTIONS = SkewOptions(pages=1000, days=1, lag_s=2.0, tolerance=0.01)


@pytest.fixture(scope="module")
def hour(tmp_path_factory: pytest.TempPathFactory) -> ServedHour:
    begin = datetime.now(UTC) - timedelta(hours=1)
    directory: Path = tmp_path_factory.mktemp("skew") / "data"
    return serve_hour(directory, begin)


def test_what_was_served_is_observed_again(hour: ServedHour) -> None:
    report = measure_logged_skew(hour.container, OPTIONS, ignore_progress)
    assert report.sentences == []
    assert {name: count for name, count in report.left_out.items() if count} == {}
    assert (report.shown, report.missing) == (sum(len(page.hits) for page in hour.pages), 0)
    assert {feature.feature for feature in report.features} == set(FEATURE_NAMES)
    assert [feature.feature for feature in report.features if feature.equal < 1] == []
    assert set(report.pages) == {"home", "search", "similar", "filtered", "with a device"}
    assert min(report.pages.values()) > 0


def test_impressions_that_are_gone_are_skew_and_end_with_exit_code_1(
    hour: ServedHour, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = hour.container.events.scan(0, 2**62, ("impression",), ("id",))
    hour.container.events.withdraw([name for batch in stored for name in batch["id"].to_pylist()])
    monkeypatch.setenv("REELRANK_DATA_DIR", str(hour.container.settings.data_dir))
    monkeypatch.setenv("REELRANK_LOG_SHARE", "0.5")
    ended = CliRunner().invoke(app, ["skew", "--wide"])
    assert ended.exit_code == 1
    said = next(line for line in ended.output.splitlines() if line.startswith("skew: ") and "times_" in line)
    assert "days_since_shown" in said
    assert "were withdrawn" in said


def test_a_lake_without_pages_is_named(tmp_path: Path) -> None:
    container = build_project(tmp_path / "data", datetime.now(UTC))
    with raises_code(NotFound, "no_logged_pages"):
        measure_logged_skew(container, OPTIONS, ignore_progress)
