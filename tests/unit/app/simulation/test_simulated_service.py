"""A simulated day, served by the real service over HTTP."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from reelrank.app.jobs.served.pages import measure_logged_pages
from reelrank.app.simulation.films import Films
from reelrank.app.simulation.report import TrafficReport
from reelrank.app.simulation.service import ServiceRecommender
from reelrank.app.simulation.traffic import GroundTruth, TrafficOptions, run_traffic
from reelrank.app.wiring import Container
from reelrank.index_mappings.errors import BadRequest, Unavailable
from reelrank.index_mappings.event import DAY_MS, Event
from reelrank.ranking.progress import ignore_progress
from tests.raised import raises_code
from tests.running_service import ServiceProcess, find_free_port, start_project_service
from tests.sample_project import build_project

pytestmark = pytest.mark.slow

TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
OPTIONS = TrafficOptions(7, 25, 1, round(TODAY.timestamp() * 1000) - 2 * DAY_MS, page_size=12, new_films=2)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Container:
    return build_project(tmp_path_factory.mktemp("simulated") / "data", datetime.now(UTC))


@pytest.fixture(scope="module")
def service(parts: Container) -> Iterator[ServiceProcess]:
    served = start_project_service(parts.settings, clock="simulated")
    yield served
    served.stop()


@pytest.fixture(scope="module")
def report(service: ServiceProcess) -> TrafficReport:
    films, viewers = Films(OPTIONS.seed), OPTIONS.create_viewers()
    simulated = ServiceRecommender(service.url, films, viewers)
    simulated.check_clock()
    report = run_traffic(OPTIONS, GroundTruth(films, viewers), simulated, ignore_progress)
    simulated.close()
    return report


@pytest.fixture(scope="module")
def events(parts: Container, report: TrafficReport, service: ServiceProcess) -> list[Event]:
    """Everything that the simulation made the service store. The service is stopped, so all is written."""
    service.stop()
    batches = parts.events.scan(OPTIONS.start_ms, OPTIONS.end_ms + DAY_MS)
    stored = [Event(**row) for batch in batches for row in batch.to_pylist()]
    return [event for event in stored if event.user.startswith("simulated-7-")]


def test_a_day_is_served_and_measured(report: TrafficReport) -> None:
    figures = report.to_json()
    assert figures["failed_pages"] == 0
    assert figures["pages"] > 30
    assert 9 * figures["pages"] < figures["impressions"] <= 12 * figures["pages"]  # a search may find few
    assert report.ctr.observed.low <= report.ctr.expected <= report.ctr.observed.high


def test_the_lake_counts_as_the_simulator_does(
    parts: Container, events: list[Event], report: TrafficReport
) -> None:
    days = (datetime.now(UTC).timestamp() * 1000 - OPTIONS.start_ms) / DAY_MS
    served, *by_surface = measure_logged_pages(parts, days, ignore_progress)
    assert events
    assert served.requests == report.totals["pages"].sum()
    assert served.impressions == report.totals["viewed"].sum()  # of those, how many were on the screen
    assert served.seen_known_share == 1
    names = {f"simulated: {surface}" for surface in ("home", "search", "similar")}
    assert names <= {quality.surface for quality in by_surface}
    for name, simulated in report.as_served.items():
        measured = served.measures[name]
        assert measured.mean == pytest.approx(simulated.observed.mean)
        assert measured.low <= simulated.expected <= measured.high


def test_what_viewers_did_is_stored_with_the_page_at_its_time(
    events: list[Event], report: TrafficReport
) -> None:
    shown = {(e.request_id, e.position): e for e in events if e.kind == "impression"}
    done = [event for event in events if event.kind != "impression"]
    assert len(shown) == report.totals["impressions"].sum()
    assert len([e for e in done if e.kind == "viewed"]) == report.totals["viewed"].sum()
    assert len([e for e in done if e.kind == "watch"]) == report.totals["clicks"].sum()
    for event in done:
        impression = shown[event.request_id, event.position]
        assert (event.user, event.item) == (impression.user, impression.item)
        assert impression.at_ms <= event.at_ms <= (event.received_ms or 0)
        assert event.simulated


def test_a_watch_names_its_playback(events: list[Event]) -> None:
    watches = [event for event in events if event.kind == "watch"]
    clicks = {event.request_id + event.item: event for event in events if event.kind == "click"}
    assert len({watch.play_id for watch in watches}) == len(watches)
    for watch in watches:
        assert watch.started_ms == clicks[watch.request_id + watch.item].at_ms
        assert watch.at_ms - (watch.started_ms or 0) == watch.watched_ms


def test_new_films_are_in_the_catalogue(parts: Container, report: TrafficReport) -> None:
    new = parts.engine.fetch(["simulated-7-0-0", "simulated-7-0-1"], 5.0)
    assert [item.genres != () for item in new if item is not None] == [True, True]


def test_a_service_with_a_real_clock_is_refused(parts: Container, events: list[Event]) -> None:
    served = start_project_service(parts.settings, workers=1)
    with raises_code(BadRequest, "clock_not_simulated"):
        ServiceRecommender(served.url, Films(0), OPTIONS.create_viewers()).check_clock()
    served.stop()


def test_a_service_that_is_away_is_named() -> None:
    simulated = ServiceRecommender(f"http://127.0.0.1:{find_free_port()}", Films(0), OPTIONS.create_viewers())
    with raises_code(Unavailable, "service_failed"):
        simulated.check_clock()
