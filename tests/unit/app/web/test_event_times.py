"""Times of events over HTTP: clocks that are ahead, and seconds where milliseconds are due."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from reelrank.app.settings import Settings
from reelrank.app.web.api.events import TimeInFuture, TimeInSeconds, check_times
from reelrank.app.web.application import WebOptions, create_app
from reelrank.app.wiring import build_container, warm_service
from reelrank.index_mappings.event import Event
from tests.sample_project import build_project

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
NOW_MS = round(NOW.timestamp() * 1000)
YEAR_MS = 365 * 86_400_000


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    directory: Path = build_project(tmp_path_factory.mktemp("data"), datetime.now(UTC)).settings.data_dir
    container = build_container(Settings.model_validate({"data_dir": directory, "deadline_ms": 5000}))
    return create_app(warm_service(container), WebOptions(1_000_000, directory)).test_client()


def get_now_ms() -> int:
    return round(datetime.now(UTC).timestamp() * 1000)


def send(client: FlaskClient, *events: dict[str, Any]) -> Any:
    watch = {
        "kind": "watch",
        "user": "clock",
        "item": "sea1",
        "watched_ms": 5_900_000,
        "duration_ms": 6_000_000,
    }
    return client.post("/v1/events", json=[{**watch, **event} for event in events])


def list_home(client: FlaskClient, user: str) -> list[str]:
    page: Any = client.get(f"/v1/recommendations?user={user}&limit=50").json
    return [hit["id"] for hit in page["hits"]]


def test_a_watch_of_a_client_four_minutes_ahead_counts_at_once(client: FlaskClient) -> None:
    assert "sea1" in list_home(client, "ahead")
    answer = send(client, {"user": "ahead", "at_ms": get_now_ms() + 240_000})
    assert answer.status_code == 200
    assert "sea1" not in list_home(client, "ahead")


@pytest.mark.parametrize("field", ["at_ms", "started_ms"])
def test_a_time_in_seconds_is_refused_with_what_to_send(client: FlaskClient, field: str) -> None:
    seconds = get_now_ms() // 1000 - 60
    answer = send(client, {"id": f"good-{field}"}, {"id": "bad", field: seconds})
    assert (answer.status_code, answer.json["code"]) == (400, "time_in_seconds")
    assert answer.json["errors"] == [
        {
            "field": "events.1",
            "detail": f"{field}: {seconds} is in seconds; send milliseconds: {seconds * 1000}",
        }
    ]
    assert send(client, {"id": f"good-{field}"}).json["stored"] == 1


def test_a_client_a_day_ahead_has_to_correct_its_clock(client: FlaskClient) -> None:
    answer = send(client, {"at_ms": get_now_ms() + 86_400_000})
    assert (answer.status_code, answer.json["code"]) == (400, "time_in_future")


def test_another_mistake_keeps_the_general_code(client: FlaskClient) -> None:
    answer = send(client, {"kind": "sneeze"})
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_request")


@given(st.integers(NOW_MS - 50 * YEAR_MS, NOW_MS))
def test_every_time_of_the_last_decades_is_taken_in_milliseconds_only(at_ms: int) -> None:
    event = Event("1", "watch", "ada", at_ms, "sea1")
    if at_ms > 30 * 86_400_000:  # before, one number may mean either
        assert check_times(event, NOW) is event
    with pytest.raises(TimeInSeconds, match="send milliseconds"):
        check_times(Event("1", "watch", "ada", -(-at_ms // 1000), "sea1"), NOW)


@given(st.timedeltas(timedelta(minutes=5, milliseconds=1), timedelta(days=300 * 365)))
def test_what_is_more_than_five_minutes_ahead_is_refused(ahead: timedelta) -> None:
    at_ms = round((NOW + ahead).timestamp() * 1000) + 1
    with pytest.raises(TimeInFuture):
        check_times(Event("1", "watch", "ada", at_ms, "sea1"), NOW)
