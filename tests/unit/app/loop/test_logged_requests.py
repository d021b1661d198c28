"""What the loop reads of a lake: requests that led to a play, what the gate judges on, drift, traffic."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from reelrank.app.jobs.lake import export_lake
from reelrank.app.loop.reading.feature_drift import choose_spans, measure_drift
from reelrank.app.loop.reading.logged_requests import count_answered, read_gate_requests
from reelrank.app.loop.trying import has_traffic
from reelrank.app.loop.watching import compare_releases, read_served_pages
from reelrank.app.settings import Settings
from reelrank.app.wiring import Container, build_container
from reelrank.index_mappings.errors import NotFound
from reelrank.ranking.drift.report import Action
from reelrank.ranking.features.compute import FEATURE_NAMES
from reelrank.ranking.gate.requests import measure_ndcg
from reelrank.ranking.labels.grades import Grader
from reelrank.ranking.progress import ignore_progress
from reelrank.ranking.rankers.lambdarank import FusedOrder
from tests.raised import raises_code
from tests.unit.app.jobs.test_logged_training import NOW, SHOWN, serve_pages

pytestmark = pytest.mark.slow
REQUESTS, DAYS = 400, 3.0


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> Container:
    """A lake with pages of three days, the newest an hour ago; the first item of every second is played."""
    container = build_container(Settings(data_dir=Path(tmp_path_factory.mktemp("lake")), clock="simulated"))
    serve_pages(container, REQUESTS, DAYS)
    return container


@pytest.fixture(autouse=True)
def _noon(monkeypatch: pytest.MonkeyPatch, container: Container) -> None:
    monkeypatch.setattr(type(container.clock), "now", lambda _clock: NOW)
    export_lake(container, ignore_progress)


def test_requests_since_the_last_run_are_counted_once(container: Container) -> None:
    first = count_answered(container, 0)
    assert (first.requests, first.answered, first.has_model) == (REQUESTS, REQUESTS // 2, False)
    again = count_answered(container, first.until_ms)
    assert (again.requests, again.answered, again.until_ms) == (0, 0, first.until_ms)


def test_the_gate_judges_on_seen_items_of_the_newest_day(container: Container) -> None:
    requests = read_gate_requests(container, Grader())
    assert requests is not None
    assert len(requests.groups) == pytest.approx(REQUESTS / DAYS, abs=10)
    assert set(requests.groups.tolist()) == {SHOWN}
    assert requests.features.shape[1] == len(FEATURE_NAMES)
    answered = requests.select_answered()
    assert len(answered.groups) == pytest.approx(len(requests.groups) / 2, abs=1)
    assert np.all(measure_ndcg(answered, answered.score(FusedOrder())) == 1)


def test_an_empty_lake_has_nothing_to_judge_on(tmp_path: Path) -> None:
    empty = build_container(Settings(data_dir=tmp_path))
    assert read_gate_requests(empty, Grader()) is None
    assert count_answered(empty, 0).requests == 0
    assert not has_traffic(empty)


def test_alike_pages_do_not_drift_and_are_counted_once(container: Container) -> None:
    report = measure_drift(container, *choose_spans(NOW, 24, 2), FusedOrder.name)
    assert report.action in (Action.NONE, Action.WARN)
    kept = sorted((container.settings.loop_dir / "profiles").iterdir())
    times = [path.stat().st_mtime_ns for path in kept]
    again = measure_drift(container, *choose_spans(NOW, 24, 2), FusedOrder.name)
    assert again.describe() == report.describe()
    assert [path.stat().st_mtime_ns for path in kept] == times
    with raises_code(NotFound, "no_logged_pages"):
        measure_drift(container, *choose_spans(NOW - timedelta(days=30), 24, 2), FusedOrder.name)


def test_few_viewers_of_both_releases_say_nothing(container: Container) -> None:
    pages = read_served_pages(container, NOW - timedelta(days=3), NOW)
    assert len(pages.viewers) > 0
    assert compare_releases(pages, "a", "b", 0.2) == []
