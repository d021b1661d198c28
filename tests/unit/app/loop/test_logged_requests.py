"""What the loop reads of a lake: requests that led to a play, what the gate judges on, drift, traffic."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from reelrank.app.jobs.lake import export_lake
from reelrank.app.jobs.served.sources import renew_sources
from reelrank.app.loop.container_work import ContainerWork
from reelrank.app.loop.drift_reports import is_retraining_due, measure_serving
from reelrank.app.loop.reading.drift import Subject, choose_spans, measure_drift
from reelrank.app.loop.reading.label_profiles import CLICKED, WATCHED_SHARE
from reelrank.app.loop.reading.logged_requests import count_answered, read_gate_requests
from reelrank.app.loop.trying import has_traffic
from reelrank.app.loop.watching import compare_releases, read_served_pages
from reelrank.app.settings import Settings
from reelrank.app.wiring import Container, build_container, load_model
from reelrank.index_mappings.errors import NotFound
from reelrank.index_mappings.event import Event
from reelrank.ranking.drift.kept_report import read_drift
from reelrank.ranking.drift.report import Action, Kind
from reelrank.ranking.evaluation.served.sources import read_sources
from reelrank.ranking.features.compute import FEATURE_NAMES
from reelrank.ranking.gate.requests import measure_ndcg
from reelrank.ranking.labels.grades import Grader, Label
from reelrank.ranking.progress import ignore_progress
from reelrank.ranking.rankers.lambdarank import FusedOrder
from reelrank.ranking.registry.releases import Pointer, create_release
from reelrank.ranking.retrieval.source_names import SOURCES
from tests.raised import raises_code
from tests.sample_project import add_model
from tests.unit.app.jobs.logged_requests import NOW, SHOWN, serve_pages

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
    newest = read_gate_requests(container, Grader(Label.PLAYED))
    assert newest is not None
    assert first.judged == len(newest.select_answered().groups)
    again = count_answered(container, first.until_ms)
    assert again.judged == first.judged
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


@pytest.mark.parametrize("hours", [1.5, 2.5, 4.75])
def test_the_gate_judges_on_parts_of_hours_too(
    container: Container, monkeypatch: pytest.MonkeyPatch, hours: float
) -> None:
    monkeypatch.setattr(type(container.clock), "now", lambda _clock: NOW - timedelta(minutes=45))
    short = replace(container, settings=container.settings.model_copy(update={"gate_hours": hours}))
    requests = read_gate_requests(short, Grader(Label.PLAYED))
    assert requests is not None
    assert 0 < len(requests.select_answered().groups) == count_answered(short, 0).judged


def test_an_empty_lake_has_nothing_to_judge_on(tmp_path: Path) -> None:
    empty = build_container(Settings(data_dir=tmp_path))
    assert read_gate_requests(empty, Grader()) is None
    assert count_answered(empty, 0).requests == 0
    assert not has_traffic(empty)


def test_alike_pages_do_not_drift_and_are_counted_once(container: Container) -> None:
    report = measure_drift(container, *choose_spans(NOW, 24, 2), Subject())
    assert report.action in (Action.NONE, Action.WARN)
    kept = sorted((container.settings.loop_dir / "profiles").iterdir())
    times = [path.stat().st_mtime_ns for path in kept]
    again = measure_drift(container, *choose_spans(NOW, 24, 2), Subject())
    assert again.describe() == report.describe()
    assert [path.stat().st_mtime_ns for path in kept] == times
    with raises_code(NotFound, "no_logged_pages"):
        measure_drift(container, *choose_spans(NOW - timedelta(days=30), 24, 2), Subject())


def test_few_viewers_of_a_release_say_nothing(container: Container) -> None:
    pages = read_served_pages(container, NOW - timedelta(days=3), NOW)
    assert len(pages.viewers) > 0
    assert compare_releases(pages, pages.select(pages.viewers == pages.viewers[0]), 0.2) == []


def test_labels_scores_and_vectors_are_compared_beside_features(container: Container) -> None:
    model = add_model(container, "scored", 0)
    ranker = load_model(container.registry.find_directory(model))
    report = measure_drift(container, *choose_spans(NOW, 24, 2), Subject(ranker, {"year": 1.0}))
    assert [one.name for one in report.of_kind(Kind.SCORES)] == ["score"]
    labels = {one.name: one.distance for one in report.of_kind(Kind.LABELS)}
    assert set(labels) == {CLICKED, WATCHED_SHARE}
    clicked = labels[CLICKED]
    assert clicked.edges == (0, 1)
    assert clicked.before[1] == pytest.approx(0.5 / SHOWN, abs=0.01)
    assert clicked.now[1] == pytest.approx(0.5 / SHOWN, abs=0.01)
    assert [one.name for one in report.series if one.kind is not Kind.FEATURES and one.is_drifted] == []


def test_more_clicks_of_late_are_drift_of_labels_and_asked_to_be_learned(
    container: Container,
) -> None:
    newest = [n for n in range(1, REQUESTS, 2) if n * DAYS / REQUESTS < 22 / 24]
    now_ms = round(NOW.timestamp() * 1000)
    times = [now_ms - 3_600_000 - round(n * DAYS / REQUESTS * 86_400_000) for n in newest]
    events = [
        Event(f"late{n}-{p}", "watch", f"viewer-{n}", at + 60_000, f"i{n}-{p}", 90, 100, f"r{n}")
        for n, at in zip(newest, times, strict=True)
        for p in range(4)
    ]
    container.events.append(events)
    export_lake(container, ignore_progress)
    kept = measure_serving(container, 24, 2)
    assert [one.name for one in kept.report.drifted] == [CLICKED]
    assert kept.report.action is Action.RETRAIN
    assert read_drift(container.settings.reports_dir) == kept
    container.releases.replace_pointer(Pointer(counter=1, serving=create_release(NOW)), None)
    assert not is_retraining_due(container)
    measure_serving(container, 24, 2)
    assert is_retraining_due(container)
    work = ContainerWork(container, ignore_progress)
    assert work.label(now_ms).least == container.settings.loop_min_requests // 4


def test_sources_are_counted_by_what_they_found_and_what_was_used(container: Container) -> None:
    shares = renew_sources(container, 24 * DAYS + 2)
    by_name = {one.source: one for one in shares.sources}
    assert set(by_name) == set(SOURCES)
    assert {(one.seen, one.only, one.only_used) for one in shares.sources} == {(shares.seen, 0, 0)}
    assert shares.seen == pytest.approx(REQUESTS * SHOWN, abs=2 * SHOWN)
    assert by_name["popular"].used == shares.used > REQUESTS // 2 - 2
    assert read_sources(container.settings.reports_dir) == shares
