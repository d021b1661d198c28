"""Learning from logged pages: from the lake to rows, windows by time, and what is said without enough."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from reelrank.app.jobs.logged_pages import (
    MIN_ANSWERED,
    LoggedTraining,
    TrainingSource,
    find_logged_training,
)
from reelrank.app.jobs.served.pages import measure_logged_pages
from reelrank.app.settings import Settings
from reelrank.app.wiring import Container, build_container, build_lake_storage, build_user_keys
from reelrank.index_mappings.decision import EVENTS, build_candidate_schema, name_signal_column
from reelrank.index_mappings.errors import NotFound
from reelrank.index_mappings.event import Event
from reelrank.loaders.lake.writer import LakeWriter
from reelrank.ranking.features.compute import FEATURE_NAMES
from reelrank.ranking.labels.grades import Grader
from reelrank.ranking.progress import ignore_progress
from reelrank.ranking.retrieval.source_names import SOURCES
from reelrank.ranking.training.logged_rows import list_signals
from tests.raised import raises_code

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SIGNALS = list_signals(FEATURE_NAMES)
SHOWN, CANDIDATES = 5, 8
SHARE_OF_PLAYS = 0.5


@pytest.fixture
def container(tmp_path: Path) -> Container:
    return build_container(Settings(data_dir=tmp_path, clock="simulated"))


def serve_pages(container: Container, requests: int, days: float) -> None:
    """Logs whole groups, the newest an hour ago; of every second page the first item is played to the end."""
    times = [NOW - timedelta(hours=1) - timedelta(days=days * n / requests) for n in range(requests)]
    keys = build_user_keys(container.settings)
    at_ms = [round(time.timestamp() * 1000) for time in times]
    users = [f"viewer-{n}" for n in range(requests)]
    logged = pa.table(
        {
            "request_id": [f"r{n}" for n in range(requests)],
            "at_ms": pa.array(at_ms, pa.int64()),
            "user_key": [keys.get_key(user) for user in users],
            "surface": ["home"] * requests,
        }
    )
    writer = LakeWriter(build_lake_storage(container.settings))
    writer.write_decisions(logged, build_candidates(at_ms), NOW.date())
    container.events.append(
        [
            Event(f"e{n}", "watch", users[n], at_ms[n] + 60_000, f"i{n}-0", 90, 100, f"r{n}")
            for n in range(0, requests, 2)
        ]
    )


def build_candidates(at_ms: list[int]) -> pa.Table:
    rows, rng = len(at_ms) * CANDIDATES, np.random.default_rng(0)
    position = np.tile(np.arange(CANDIDATES, dtype=np.int32), len(at_ms))
    request = np.repeat(np.arange(len(at_ms)), CANDIDATES)
    columns = {
        "request_id": [f"r{n}" for n in request],
        "item": [f"i{n}-{p}" for n, p in zip(request, position, strict=True)],
        "position": position,
        "shown": position < SHOWN,
        "score": np.zeros(rows, np.float32),
        "is_whole_group": np.ones(rows, bool),
        "at_ms": np.repeat(np.array(at_ms, np.int64), CANDIDATES),
    }
    schema = build_candidate_schema(SOURCES, SIGNALS).append(pa.field("at_ms", pa.int64()))
    signals = {name_signal_column(name): rng.random(rows).astype(np.float32) for name in SIGNALS}
    ranks = {f"rank_{source}": position for source in SOURCES}
    table = {**signals, **ranks, **columns}
    empty = {name: pa.nulls(rows, schema.field(name).type) for name in schema.names if name not in table}
    return (
        pa.table({name: pa.array(column) for name, column in {**table, **empty}.items()})
        .select(schema.names)
        .cast(schema)
    )


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
