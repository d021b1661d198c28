"""The header that states the time of a request."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from reelrank.app.clock import SYSTEM_CLOCK, SimulatedClock
from reelrank.app.settings import Settings
from reelrank.app.web.application import WebOptions, create_app
from reelrank.app.web.simulated_time import NOW_HEADER, parse_time
from reelrank.app.wiring import Container, build_container, warm_service
from tests.sample_project import build_project

NOW = datetime(2026, 11, 24, tzinfo=UTC)
LATER = datetime(2031, 5, 6, 7, 8, tzinfo=UTC)
WATCH = {"id": "w1", "kind": "watch", "user": "ada", "item": "sea1"}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_project(tmp_path_factory.mktemp("data"), NOW).settings.data_dir


def open_client(directory: Path, clock: str) -> tuple[FlaskClient, Container]:
    settings = Settings.model_validate({"data_dir": directory, "clock": clock, "deadline_ms": 5000})
    container = build_container(settings)
    app = create_app(warm_service(container), WebOptions(1_000_000, settings.reports_dir))
    return app.test_client(), container


def read_times(container: Container) -> dict[str, datetime]:
    return {event.id: event.at for event in container.events.recent("ada", 10, 1.0)}


def test_an_event_happens_at_the_stated_time(directory: Path) -> None:
    client, container = open_client(directory, "simulated")
    answer = client.post("/v1/events", json=WATCH, headers={NOW_HEADER: "2031-05-06T07:08:00Z"})
    assert answer.status_code == 200
    assert read_times(container)["w1"] == LATER
    client.post("/v1/events", json={**WATCH, "id": "w2"})
    assert abs((read_times(container)["w2"] - SYSTEM_CLOCK.now()).total_seconds()) < 60


def test_the_header_has_no_effect_on_the_system_clock(directory: Path) -> None:
    client, container = open_client(directory, "system")
    client.post("/v1/events", json={**WATCH, "id": "w3"}, headers={NOW_HEADER: "2031-05-06"})
    assert abs((read_times(container)["w3"] - SYSTEM_CLOCK.now()).total_seconds()) < 60


@pytest.mark.parametrize(
    ("address", "headers"),
    [("192.0.2.7", {}), ("127.0.0.1", {"X-Forwarded-For": "192.0.2.7"}), ("::ffff:192.0.2.7", {})],
)
def test_other_machines_may_not_state_the_time(
    directory: Path, address: str, headers: dict[str, str]
) -> None:
    client, _ = open_client(directory, "simulated")
    stated = {**headers, NOW_HEADER: "2031-05-06"}
    answer = client.get("/v1/search?q=story", headers=stated, environ_base={"REMOTE_ADDR": address})
    assert (answer.status_code, answer.get_json()["code"]) == (403, "local_clients_only")
    assert NOW_HEADER in answer.text


def test_a_time_that_cannot_be_read_is_answered_with_what_to_send(directory: Path) -> None:
    client, _ = open_client(directory, "simulated")
    answer = client.get("/v1/search?q=story", headers={NOW_HEADER: "tomorrow"})
    assert answer.status_code == 400
    assert "ISO 8601" in answer.text


@pytest.mark.parametrize(
    "stated", ["1936249680000", "2031-05-11T08:08:00+01:00", "2031-05-11T07:08:00", " 2031-05-11 07:08 "]
)
def test_times_are_milliseconds_or_iso_8601(stated: str) -> None:
    assert parse_time(stated) == datetime(2031, 5, 11, 7, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    "stated",
    ["0001-01-01", "1969-12-31", "2200-01-02", "9999-12-31", "253402300799999", "9999-12-31T23:59:59Z"],
)
@pytest.mark.parametrize("path", ["/v1/search?q=story", "/v1/events"])
def test_a_time_out_of_range_is_refused(directory: Path, path: str, stated: str) -> None:
    client, _ = open_client(directory, "simulated")
    method, body = ("POST", WATCH) if path == "/v1/events" else ("GET", None)
    answer = client.open(path, method=method, json=body, headers={NOW_HEADER: stated})
    assert answer.status_code == 400
    assert "send a time from 1970 to 2200" in answer.text


def test_each_thread_has_a_time_of_its_own() -> None:
    clock = SimulatedClock()
    clock.set(LATER)
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(clock.now).result() != LATER
    assert clock.now() == LATER
