"""Hostile requests: from pages of other sites, out of bounds, tampered with."""

from datetime import UTC, datetime

import pytest
from flask.testing import FlaskClient

from reelrank.app.web.application import WebOptions, create_app
from reelrank.app.wiring import Container, warm_service
from tests.page_client import open_pages
from tests.sample_project import build_project


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Container:
    return build_project(tmp_path_factory.mktemp("data"), datetime.now(UTC))


@pytest.fixture
def client(parts: Container) -> FlaskClient:
    return open_pages(create_app(warm_service(parts), WebOptions(1_000_000, parts.settings.reports_dir)))


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://elsewhere.example"}, {"Origin": "null"}]
)
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/v1/events"), ("POST", "/v1/items:bulk"), ("POST", "/v1/models/engine-order:promote"),
     ("PUT", "/v1/items/a"), ("DELETE", "/v1/items/sea1"), ("POST", "/watch")],
)  # fmt: skip
def test_a_page_of_another_site_cannot_write(
    client: FlaskClient, method: str, path: str, headers: dict[str, str]
) -> None:
    body = '{"id": "x", "title": "x", "kind": "like", "user": "u", "item": "sea1"}'
    answer = client.open(path, method=method, data=body, headers={"Content-Type": "text/plain", **headers})
    assert answer.status_code == 403
    assert "cross_site_request" in answer.text


def test_a_page_of_another_site_may_still_read(client: FlaskClient) -> None:
    assert (
        client.get("/v1/search?q=story", headers={"Origin": "https://elsewhere.example"}).status_code == 200
    )


def test_an_impossible_date_is_rejected_and_the_catalogue_goes_on(client: FlaskClient) -> None:
    outside = {"title": "Old", "published_at": "0001-01-01T00:00:00+14:00"}
    answer = client.put("/v1/items/old", json=outside)
    assert (answer.status_code, answer.get_json()["code"]) == (400, "item_rejected")
    assert "published_at" in answer.get_json()["detail"]
    bulk = client.post("/v1/items:bulk", json=[{"id": "old", **outside}])
    assert bulk.get_json()["rejected"][0]["reason"].startswith("published_at")
    assert client.get("/v1/search?q=story").status_code == 200


@pytest.mark.parametrize("position", ["3000000000", "-1", "9" * 40])
def test_a_position_out_of_bounds_is_rejected_and_not_stored(
    client: FlaskClient, parts: Container, position: str
) -> None:
    before = parts.events.count()
    assert client.post("/watch", data={"item": "sea1", "position": position}).status_code == 400
    assert parts.events.count() == before


def test_lines_of_json_are_a_batch_of_any_content_type(client: FlaskClient) -> None:
    lines = b'{"id": "n1", "title": "One"}\n{"id": "n2", "title": "Two"}\n'
    answer = client.post("/v1/items:bulk", data=lines, content_type="application/json")
    assert answer.get_json()["written"] == 2


@pytest.mark.parametrize("back", ["http://[x", "//elsewhere.example", "/search?q=a"])
def test_a_button_leads_back_to_a_page_of_this_site(client: FlaskClient, back: str) -> None:
    answer = client.post("/like", data={"item": "sea1", "back": back})
    assert answer.status_code == 303
    where = answer.headers["Location"]
    assert where.startswith(("/?liked=sea1", "/search?q=a&liked=sea1"))


def test_only_the_current_address_of_a_file_is_cached_for_ever(client: FlaskClient) -> None:
    assert client.get("/static/000000000000/style.css").headers["Cache-Control"] == "no-cache"
