"""A film that is put over HTTP takes part at once, without a load or a training run."""

import uuid
from datetime import UTC, datetime

import pytest
from flask.testing import FlaskClient

from reelrank.app.search.service import SearchService
from reelrank.app.web.application import WebOptions, create_app
from reelrank.app.wiring import Container, warm_service
from tests.sample_project import build_project

FILM = {"title": "Parasite of the deep", "genres": ["Sea"], "people": ["Bong"], "published_at": "2024-05-01",
        "description": "A sea story", "duration_s": 6000}  # fmt: skip


@pytest.fixture
def parts(tmp_path_factory: pytest.TempPathFactory) -> Container:
    return build_project(tmp_path_factory.mktemp("data"), datetime.now(UTC))


@pytest.fixture
def service(parts: Container) -> SearchService:
    return warm_service(parts)


@pytest.fixture
def client(parts: Container, service: SearchService) -> FlaskClient:
    return create_app(service, WebOptions(8_000_000, parts.settings.reports_dir)).test_client()


def put(client: FlaskClient, item_id: str, **changes: object) -> None:
    assert client.put(f"/v1/items/{item_id}", json={**FILM, **changes}).status_code == 200


def watch(client: FlaskClient, item_id: str, viewers: int = 3000) -> None:
    events = [
        {"id": uuid.uuid4().hex, "kind": "watch", "user": f"v{n}", "item": item_id, "watched_ms": 6_000_000,
         "duration_ms": 6_000_000}
        for n in range(viewers)
    ]  # fmt: skip
    assert client.post("/v1/events", json=events).status_code == 200


def list_sources(client: FlaskClient, item_id: str) -> dict[str, int]:
    """Returns the sources that find an item for a stranger, with its rank there."""
    hits = client.get("/v1/recommendations?limit=100").get_json()["hits"]
    return next((hit["sources"] for hit in hits if hit["id"] == item_id), {})


def test_it_is_new_and_popular_for_strangers(client: FlaskClient, service: SearchService) -> None:
    put(client, "parasite")
    service.refresher.refresh()
    assert list_sources(client, "parasite")["fresh"] == 0
    watch(client, "parasite")
    service.refresher.refresh()
    assert list_sources(client, "parasite")["popular"] == 0


def test_watches_that_came_before_the_film_count(client: FlaskClient, service: SearchService) -> None:
    watch(client, "parasite")
    service.refresher.refresh()
    put(client, "parasite")
    service.refresher.refresh()
    assert list_sources(client, "parasite")["popular"] == 0


@pytest.mark.parametrize("text", ["Parasite of the deep", "PARASITE OF THE DEEP", "bong", "parasite of t"])
def test_it_is_found_by_name(client: FlaskClient, service: SearchService, text: str) -> None:
    put(client, "parasite")
    service.refresher.refresh()
    hits = client.get("/v1/search", query_string={"q": text}).get_json()["hits"]
    assert hits[0]["id"] == "parasite"
    assert "title" in hits[0]["sources"]


def test_it_is_near_similar_films_by_text(client: FlaskClient, service: SearchService) -> None:
    put(client, "parasite")
    service.refresher.refresh()
    similar = client.get("/v1/items/parasite/similar?limit=5").get_json()["hits"]
    assert similar
    assert {hit["genres"][0] for hit in similar} == {"Sea"}


def test_it_passes_filters_and_is_excluded_once_watched(client: FlaskClient, service: SearchService) -> None:
    put(client, "parasite", genres=["Thriller"])
    service.refresher.refresh()
    asked = {"genre": "Thriller", "user": "fan"}
    assert [
        hit["id"] for hit in client.get("/v1/recommendations", query_string=asked).get_json()["hits"]
    ] == ["parasite"]
    event = {
        "id": "w",
        "kind": "watch",
        "user": "fan",
        "item": "parasite",
        "watched_ms": 9,
        "duration_ms": 10,
    }
    client.post("/v1/events", json=event)
    assert client.get("/v1/recommendations", query_string=asked).get_json()["hits"] == []


def test_many_new_films_are_appended_in_turn(client: FlaskClient, service: SearchService) -> None:
    before = len(service.refresher.state.table)
    for number in range(5):
        put(client, f"new{number}", title=f"New film {number}")
        service.refresher.state  # noqa: B018  # raises Unavailable if the state is lost
        service.refresher._live_items.read_again_at = 0.0  # a test does not wait
        service.refresher.refresh()
    table = service.refresher.state.table
    assert len(table) == before + 5
    assert table.ids[-1] == b"new4"


def test_a_deleted_new_film_is_gone(client: FlaskClient, service: SearchService) -> None:
    put(client, "parasite")
    service.refresher.refresh()
    client.delete("/v1/items/parasite")
    service.refresher.refresh()
    assert list_sources(client, "parasite") == {}
