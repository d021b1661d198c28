"""Odd requests that a client may well send: null, lists of other things, ids with slashes, blank titles."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient

from reelrank.app.web.application import WebOptions, create_app
from reelrank.app.wiring import warm_service
from tests.sample_project import build_project

FILM = {"title": "Quay", "description": "A sea story", "tags": ["fog"], "genres": ["Sea"], "people": ["Ann"],
        "languages": ["en"], "countries": ["NO"], "published_at": "2024-05-01", "duration_s": 6000,
        "thumbnail": "https://example.org/quay.jpg", "source_id": "quay 1"}  # fmt: skip


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    parts = build_project(tmp_path_factory.mktemp("data"), datetime.now(UTC))
    return create_app(warm_service(parts), WebOptions(1_000_000, parts.settings.reports_dir)).test_client()


@pytest.mark.parametrize("value", [1, None, [], {}, True, 1.5])
def test_fields_that_are_no_texts_are_named(client: FlaskClient, value: Any) -> None:
    answer = client.post("/v1/search", json={"q": "story", "fields": ["title", value]})
    assert (answer.status_code, answer.get_json()["code"]) == (400, "invalid_request")
    assert {error["field"] for error in answer.get_json()["errors"]} == {"fields.1"}


@pytest.mark.parametrize("field", [name for name in FILM if name != "title"])
def test_null_empties_a_field_of_a_patch(client: FlaskClient, field: str) -> None:
    assert client.put("/v1/items/quay", json=FILM).status_code == 200
    before = client.get("/v1/items/quay").get_json()
    assert client.patch("/v1/items/quay", json={field: None}).status_code == 200
    after = client.get("/v1/items/quay").get_json()
    derived = {"languages": {"language"}, "countries": {"country"}, "published_at": {"year"}}
    assert before.keys() - after.keys() == {field} | derived.get(field, set())


@pytest.mark.parametrize("title", [None, "", "  ", "\u200b", "\u200e\u00ad", "\x00"])
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_a_title_that_shows_nothing_is_rejected(client: FlaskClient, method: str, title: str | None) -> None:
    assert client.put("/v1/items/quay", json=FILM).status_code == 200
    answer = client.open("/v1/items/quay", method=method, json={"title": title})
    assert [error["field"] for error in answer.get_json()["errors"]] == ["title"]
    assert client.get("/v1/items/quay").get_json()["title"] == FILM["title"]


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_an_item_is_read_and_changed_and_written_back(client: FlaskClient, method: str) -> None:
    assert client.put("/v1/items/quay", json=FILM).status_code == 200
    changed = client.get("/v1/items/quay").get_json() | {"title": "Changed", "tags": ["rain"]}
    assert {"id", "year", "language", "country"} <= changed.keys()
    assert client.open("/v1/items/quay", method=method, json=changed).status_code == 200
    assert client.get("/v1/items/quay").get_json() == changed
    moved = changed | {"published_at": "2011-05-01T00:00:00+00:00"}
    assert client.open("/v1/items/quay", method=method, json=moved).status_code == 200
    assert client.get("/v1/items/quay").get_json() == moved | {"year": 2011}
    rows = [moved, moved | {"id": "quay2"}]
    assert client.post("/v1/items:bulk", json=rows).get_json() == {"read": 2, "written": 2, "rejected": []}


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_an_id_that_is_not_of_the_address_is_rejected(client: FlaskClient, method: str) -> None:
    assert client.put("/v1/items/quay", json=FILM).status_code == 200
    answer = client.open("/v1/items/quay", method=method, json=FILM | {"id": "other", "title": "Other"})
    assert (answer.status_code, answer.get_json()["code"]) == (400, "invalid_request")
    assert [error["field"] for error in answer.get_json()["errors"]] == ["id"]
    assert client.get("/v1/items/quay").get_json()["title"] == FILM["title"]


@pytest.mark.parametrize("item_id", ["/", "/title/tt1/", "//a", "a//b", "https://example.org//x?y#z%2F"])
def test_an_item_is_written_and_read_by_an_id_with_slashes(client: FlaskClient, item_id: str) -> None:
    address = f"/v1/items/{quote(item_id, safe='')}"
    assert client.put(address, json=FILM).get_json() == {"id": item_id, "written": True}
    assert client.get(address).get_json()["id"] == item_id
    assert client.get(f"{address}/similar").status_code == 200
    assert client.delete(address).status_code == 200
    assert client.get(address).get_json()["code"] == "item_not_found"


@pytest.mark.parametrize("path", ["/v1//search", "/v1/suggest//", "/v1/items//similar"])
def test_an_address_with_two_slashes_is_no_redirect(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.content_type) == (404, "application/problem+json")


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/v1/search"), ("POST", "/v1/events"), ("POST", "/v1/items:bulk"), ("PUT", "/v1/items/quay"),
     ("PATCH", "/v1/items/quay"), ("POST", "/v1/items:get"), ("POST", "/v1/rank/current")],
)  # fmt: skip
@pytest.mark.parametrize(
    "body",
    [dict.fromkeys(map(str, range(30)), 1), dict.fromkeys(map(str, range(5000)), 1), {"k" * 200_000: 1},
     {"sort": "s" * 200_000, "fields": ["f" * 200_000], "kind": "k" * 200_000}],
    ids=["some fields", "many fields", "a long name", "long values"],
)  # fmt: skip
def test_wrong_fields_get_a_short_answer(client: FlaskClient, method: str, path: str, body: Any) -> None:
    answer = client.open(path, method=method, json=body)
    assert len(answer.data) < 12_000
    assert (
        b"there is no such parameter" in answer.data or b"ermitted" in answer.data or b"wrong" in answer.data
    )


@pytest.mark.parametrize("depth", [101, 300, 1000, 100_000])
@pytest.mark.parametrize("signs", ["[]", "{}"])
def test_events_that_are_nested_too_deeply_are_refused(client: FlaskClient, depth: int, signs: str) -> None:
    start = '{"a":' if signs == "{}" else "["
    deep = start * depth + "1" + signs[1] * depth
    body = (
        f'{{"action_name":"like","client_id":"u","timestamp":"2026-01-01","event_attributes":{{"a":{deep}}}}}'
    )
    answer = client.post("/v1/events", data=body, content_type="application/json")
    assert (answer.status_code, answer.get_json()["code"]) == (400, "invalid_request")
