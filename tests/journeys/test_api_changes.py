"""Changes by a client: events, items, models. And requests about the service itself."""

import time
import uuid

import orjson
import pytest

from reelrank.app.wiring import Container
from reelrank.index_mappings.event import Event
from tests.running_service import ServiceProcess

pytestmark = pytest.mark.slow
UBI = {
    "action_name": "watch", "client_id": "ubi-viewer", "query_id": "q-1", "timestamp": "2026-11-24T10:00:00Z",
    "event_attributes": {
        "object": {"object_id": "space4", "object_id_field": "id"},
        "position": {"ordinal": 3}, "watched_ms": 5_000_000, "duration_ms": 6_000_000,
    },
}  # fmt: skip


def recommend(service: ServiceProcess, user_id: str) -> list[str]:
    return [hit["id"] for hit in service.get(f"/v1/recommendations?user={user_id}&limit=8").json["hits"]]


def test_one_watch_by_a_new_viewer_changes_their_page_at_once(service: ServiceProcess) -> None:
    user = uuid.uuid4().hex
    before = recommend(service, user)
    event = {"kind": "watch", "user": user, "item": "space3", "watched_ms": 5000, "duration_ms": 6000}
    assert service.post("/v1/events", event).json == {"stored": 1, "duplicates": 0, "unknown_items": []}
    after = recommend(service, user)
    assert after != before
    assert "space3" not in after


def test_the_same_event_counts_once_also_within_a_list(service: ServiceProcess) -> None:
    event = {"id": uuid.uuid4().hex, "kind": "like", "user": "someone", "item": "sea2"}
    assert service.post("/v1/events", [event, event]).json == {
        "stored": 1,
        "duplicates": 1,
        "unknown_items": [],
    }
    assert service.post("/v1/events", event).json == {"stored": 0, "duplicates": 1, "unknown_items": []}


def test_a_ubi_event_is_accepted_unchanged(service: ServiceProcess, parts: Container) -> None:
    assert service.post("/v1/events", UBI).json["stored"] == 1
    assert service.post("/v1/events", UBI).json == {"stored": 0, "duplicates": 1, "unknown_items": []}
    (event,) = parts.events.recent("ubi-viewer", 5, 1.0)
    assert (event.kind, event.item, event.request_id, event.position) == ("watch", "space4", "q-1", 2)
    assert (event.watched_ms, event.duration_ms) == (5_000_000, 6_000_000)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "body"),
        (b"{", "body"),
        (b"[]", "body"),
        (b"[1]", "events.0"),
        (b'{"kind": "watch", "user": "a"}', "events.0"),
        (b'{"kind": "sleep", "user": "a", "item": "x"}', "events.0"),
        (b'{"kind": "watch", "user": "a", "item": "x", "mood": 1}', "events.0"),
        (b'{"action_name": "teleport", "timestamp": "2026-11-24T10:00:00Z"}', "events.0"),
    ],
)
def test_an_invalid_event_is_named_and_nothing_is_stored(
    service: ServiceProcess, parts: Container, body: bytes, field: str
) -> None:
    answer = service.request("POST", "/v1/events", body)
    assert (answer.status, answer.json["code"]) == (400, "invalid_request")
    assert [error["field"] for error in answer.json["errors"]] == [field]
    assert parts.events.recent("a", 1, 5.0) == []  # not a count: other pages record impressions meanwhile


def test_an_event_of_the_future_is_named_and_not_stored(service: ServiceProcess, parts: Container) -> None:
    event = {"kind": "watch", "user": "a", "item": "x", "at": "2050-01-01T00:00:00Z"}
    answer = service.post("/v1/events", event)
    assert (answer.status, answer.json["code"]) == (400, "time_in_future")
    assert [error["field"] for error in answer.json["errors"]] == ["events.0"]
    assert parts.events.recent("a", 1, 5.0) == []


def test_one_invalid_event_in_a_list_stores_none_of_them(service: ServiceProcess) -> None:
    good = {"id": uuid.uuid4().hex, "kind": "like", "user": "x", "item": "sea1"}
    assert service.post("/v1/events", [good, {"kind": "like"}]).json["errors"][0]["field"] == "events.1"
    assert service.post("/v1/events", good).json["stored"] == 1


def test_every_worker_finds_a_written_item_and_none_a_deleted_one(service: ServiceProcess) -> None:
    body = {"title": "Quixotic lighthouse", "genres": ["Sea"], "published_at": "2026-01-01"}
    assert service.request("PUT", "/v1/items/new1", orjson.dumps(body)).status == 200
    time.sleep(2.0)
    found = [service.get("/v1/search?q=quixotic+lighthouse").json["hits"][0]["id"] for _ in range(12)]
    assert set(found) == {"new1"}
    assert service.get("/v1/items/new1").json["year"] == 2026
    assert service.request("DELETE", "/v1/items/new1").status == 200
    assert service.request("DELETE", "/v1/items/new1").json["code"] == "item_not_found"
    assert service.get("/v1/items/new1").json["code"] == "item_not_found"
    time.sleep(2.0)
    for _ in range(12):
        hits = service.get("/v1/search?q=quixotic+lighthouse").json["hits"]
        assert "new1" not in [hit["id"] for hit in hits]


def test_valid_items_of_a_batch_are_written_and_others_are_named(service: ServiceProcess) -> None:
    lines = b'{"id": "b1", "title": "Bulk one"}\n{"id": "b 2", "title": "x"}\n{"id": "b3"}\n'
    report = service.request("POST", "/v1/items:bulk", lines, "application/x-ndjson").json
    assert (report["read"], report["written"], len(report["rejected"])) == (3, 1, 2)
    assert [each["row"] for each in report["rejected"]] == [1, 2]
    assert service.request("DELETE", "/v1/items/b1").status == 200


def test_a_body_that_is_too_large_is_rejected(service: ServiceProcess) -> None:
    answer = service.request("POST", "/v1/events", b" " * 8_000_001)
    assert (answer.status, answer.json["code"]) == (413, "body_too_large")
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_models_are_listed_promoted_and_rejected(service: ServiceProcess) -> None:
    listed = {model["id"]: model["serving"] for model in service.get("/v1/models").json["models"]}
    assert listed == {"first": True, "second": False}
    assert service.post("/v1/models/unknown:promote", {}).json["code"] == "model_not_found"
    assert service.post("/v1/models/second:promote", {}).json == {"serving": "second"}
    assert service.post("/v1/models/first:promote", {}).json == {"serving": "first"}


def test_every_shown_item_becomes_an_impression(service: ServiceProcess, parts: Container) -> None:
    user = uuid.uuid4().hex
    page = service.get(f"/v1/search?q=story&user={user}&limit=4").json
    shown, until = list[Event](), time.monotonic() + 20
    while len(shown) < len(page["hits"]) and time.monotonic() < until:
        time.sleep(0.1)  # another replica of the shard may show it a moment later
        shown = sorted(parts.events.recent(user, 10, 1.0), key=lambda event: event.position or 0)
    assert [event.item for event in shown] == [hit["id"] for hit in page["hits"]]
    assert {(event.kind, event.request_id) for event in shown} == {("impression", page["request_id"])}


def test_the_service_reports_its_state(service: ServiceProcess) -> None:
    service.get("/v1/search?q=story")
    assert service.get("/livez").json == {"alive": True}
    assert service.get("/readyz").json["model"] == "first"
    metrics = service.get("/metrics").body.decode()
    assert 'reelrank_request_seconds_count{endpoint="/v1/search",status="200"}' in metrics
    assert 'reelrank_stage_seconds_bucket{le="0.1",stage="score"}' in metrics
    assert "/v1/search" in service.get("/openapi.json").json["paths"]
    assert b"swagger" in service.get("/openapi/").body.lower()


def test_an_unknown_address_is_a_problem(service: ServiceProcess) -> None:
    answer = service.get("/v1/nowhere")
    assert (answer.status, answer.headers["Content-Type"]) == (404, "application/problem+json")
    assert service.get(answer.json["type"]).status == 200
