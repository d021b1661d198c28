"""Experiments over HTTP: created, started, stopped and listed; what is wrong has a code."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from reelrank.app.settings import Settings
from reelrank.app.web.application import WebOptions, create_app
from reelrank.app.wiring import build_container, build_service

BODY = {
    "name": "home-diversity",
    "hypothesis": "Viewers watch longer when the films of a home page are less alike.",
    "arms": [
        {"name": "control", "share": 0.5},
        {"name": "diverse", "share": 0.5, "config": {"diversity": 0.3}},
    ],
}
PATH = "/v1/experiments"


@pytest.fixture
def client(tmp_path: Path) -> FlaskClient:
    container = build_container(Settings.model_validate({"data_dir": tmp_path}))
    options = WebOptions(1_000_000, tmp_path, experiments=container.experiments)
    return create_app(build_service(container), options).test_client()


def test_an_experiment_is_created_started_and_stopped(client: FlaskClient) -> None:
    created = client.post(PATH, json=BODY)
    assert (created.status_code, created.json["status"]) == (201, "draft")  # type: ignore[index]
    started = client.post(f"{PATH}/home-diversity:start").json
    assert started is not None
    assert started["status"] == "running"
    assert datetime.fromisoformat(started["started_at"]) <= datetime.now(UTC)
    stopped = client.post(f"{PATH}/home-diversity:stop", json={"reason": "done"}).json
    assert stopped is not None
    assert (stopped["status"], stopped["stopped_reason"]) == ("stopped", "done")
    assert client.get(f"{PATH}/home-diversity").json == stopped
    assert client.get(PATH).json == {"experiments": [stopped]}


def test_what_is_wrong_has_a_code_and_changes_nothing(client: FlaskClient) -> None:
    wrong = client.post(PATH, json=BODY | {"primary": "happiness"})
    assert wrong.status_code == 400
    assert wrong.json is not None
    assert wrong.json["code"] == "invalid_request"
    assert "happiness" in wrong.text
    missing = client.post(f"{PATH}/none:start")
    assert (missing.status_code, missing.json["code"]) == (404, "experiment_not_found")  # type: ignore[index]
    client.post(PATH, json=BODY)
    early = client.post(f"{PATH}/home-diversity:stop", json={})
    assert (early.status_code, early.json["code"]) == (409, "experiment_not_running")  # type: ignore[index]
    client.post(f"{PATH}/home-diversity:start")
    late = client.post(PATH, json=BODY)
    assert (late.status_code, late.json["code"]) == (409, "experiment_started")  # type: ignore[index]
