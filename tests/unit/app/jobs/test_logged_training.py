"""Learning from logged pages: from the lake to rows, windows by time, and what is said without enough."""

from pathlib import Path

import numpy as np
import pytest

from reelrank.app.jobs.logged_pages import (
    MIN_ANSWERED,
    LoggedTraining,
    TrainingSource,
    find_logged_training,
)
from reelrank.app.jobs.served.pages import measure_logged_pages
from reelrank.app.settings import Settings
from reelrank.app.wiring import Container, build_container, build_lake_storage
from reelrank.index_mappings.decision import EVENTS
from reelrank.index_mappings.errors import NotFound
from reelrank.ranking.labels.grades import Grader
from reelrank.ranking.progress import ignore_progress
from tests.raised import raises_code
from tests.unit.app.jobs.logged_requests import CANDIDATES, NOW, serve_pages

SHARE_OF_PLAYS = 0.5


@pytest.fixture
def container(tmp_path: Path) -> Container:
    return build_container(Settings(data_dir=tmp_path, clock="simulated"))


def find(container: Container, source: TrainingSource) -> LoggedTraining | None:
    return find_logged_training(container, source, Grader(), ignore_progress)


@pytest.fixture
def _noon(monkeypatch: pytest.MonkeyPatch, container: Container) -> None:
    monkeypatch.setattr(type(container.clock), "now", lambda _clock: NOW)


@pytest.mark.usefixtures("_noon")
def test_rows_of_the_windows_are_learned_from(container: Container) -> None:
    serve_pages(container, 2000, 5)
    logged = find(container, TrainingSource.AUTO)
    assert logged is not None
    assert logged.sampled == 1
    assert set(logged.rows.groups.tolist()) == {CANDIDATES}
    assert logged.answered == pytest.approx(logged.requests / 2, abs=1)
    fitted, later = logged.rows.split()
    assert len(later.groups) == pytest.approx(400, abs=2)
    assert len(fitted.groups) == pytest.approx(1200, abs=30)  # nothing of the last day, 400 requests
    assert "logged requests from 2026-10" in logged.describe()
    again = find(container, TrainingSource.LAKE)
    assert again is not None
    assert (logged.cached_hours, again.cached_hours) == (0, again.hours)
    assert np.array_equal(again.rows.features, logged.rows.features, equal_nan=True)
    assert f"{again.hours} of {again.hours} hours came from the cache" in again.describe()


@pytest.mark.usefixtures("_noon")
def test_the_sample_has_at_most_the_rows_of_the_setting(container: Container) -> None:
    serve_pages(container, 4000, 4)
    container.settings.training_rows = 12_000
    logged = find(container, TrainingSource.AUTO)
    assert logged is not None
    assert logged.sampled < 1
    assert len(logged.rows.gains) <= 12_000


@pytest.mark.usefixtures("_noon")
@pytest.mark.parametrize("requests", [0, MIN_ANSWERED])
def test_too_few_pages_leave_the_history_to_learn_from(container: Container, requests: int) -> None:
    if requests:
        serve_pages(container, requests, 5)
    assert find(container, TrainingSource.AUTO) is None
    assert not build_lake_storage(container.settings).list_files(EVENTS)  # no events are exported
    with raises_code(NotFound, "too_few_logged_pages"):
        find(container, TrainingSource.LAKE)


@pytest.mark.usefixtures("_noon")
def test_the_history_can_be_asked_for(container: Container) -> None:
    serve_pages(container, 2000, 5)
    assert find(container, TrainingSource.HISTORY) is None


@pytest.mark.usefixtures("_noon")
def test_pages_are_measured_as_they_were_served(container: Container) -> None:
    serve_pages(container, 100, 2)
    whole = measure_logged_pages(container, 7, ignore_progress)[0]
    assert (whole.requests, whole.answered, whole.viewers, whole.impressions) == (100, 50, 100, 500)
    assert whole.measures["ctr"].mean == pytest.approx(0.1)
    assert whole.measures["ndcg@10"].mean == 1.0
    one_day = measure_logged_pages(container, 1, ignore_progress)[0]
    assert 45 <= one_day.requests <= 50


def test_no_pages_are_said_to_be_so(container: Container) -> None:
    with raises_code(NotFound, "no_logged_pages"):
        measure_logged_pages(container, 7, ignore_progress)
