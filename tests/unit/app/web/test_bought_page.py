"""A stranger's page cannot be bought over HTTP by a few viewers; three thousand established ones move it."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from flask.testing import FlaskClient

from reelrank.app.search.service import SearchService
from reelrank.app.web.application import WebOptions, create_app
from reelrank.app.wiring import Container, warm_service
from reelrank.index_mappings.event import DAY_MS, Event
from reelrank.index_mappings.item import Item
from reelrank.loaders.events.history import load_history
from tests.sample_project import build_project

FILMS, VIEWERS, PAGE = 120, 300, 24
EXTRA = [
    Item(f"film{n:03}", f"Film {n}", published_at=datetime(1990, 1, 1, tzinfo=UTC) + timedelta(days=n))
    for n in range(FILMS)
]


def build_history(now_ms: int) -> list[Event]:
    """Builds loaded watches of a year: film n is watched by about 300 / (n + 1) viewers."""
    rng = np.random.default_rng(0)
    pairs = np.argwhere(rng.random((VIEWERS, FILMS)) < 1 / np.arange(1, FILMS + 1))
    return [
        Event(f"h{user}-{film}", "watch", f"known{user}", now_ms - int(rng.integers(DAY_MS, 365 * DAY_MS)),
              f"film{film:03}", 9, 10)
        for user, film in pairs.tolist()
    ]  # fmt: skip


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Container:
    now = datetime.now(UTC)
    parts = build_project(tmp_path_factory.mktemp("data"), now, EXTRA)
    load_history(build_history(round(now.timestamp() * 1000)), parts.events)
    return parts


@pytest.fixture(scope="module")
def service(parts: Container) -> SearchService:
    return warm_service(parts)


@pytest.fixture(scope="module")
def client(parts: Container, service: SearchService) -> FlaskClient:
    return create_app(service, WebOptions(8_000_000, parts.settings.reports_dir)).test_client()


def send(client: FlaskClient, kind: str, item: str, users: Sequence[str], **fields: object) -> None:
    events = [{"id": uuid.uuid4().hex, "kind": kind, "user": user, "item": item, **fields} for user in users]
    assert client.post("/v1/events", json=events).status_code == 200


def list_page(client: FlaskClient, service: SearchService, limit: int = 100) -> list[str]:
    """Returns a stranger's page, in the order of popularity where no model serves."""
    service.refresher.refresh()
    hits = client.get("/v1/recommendations", query_string={"limit": limit}).get_json()["hits"]
    return [hit["id"] for hit in hits]


def find_largest_move(before: Sequence[str], after: Sequence[str]) -> int:
    """Returns by how many places an item of the first page moved or came from."""
    return max(
        abs((before.index(item) if item in before else FILMS) - n) for n, item in enumerate(after[:PAGE])
    )


@pytest.mark.parametrize("target", ["film119", "film040", "film010"])
@pytest.mark.parametrize(
    "users",
    [["buyer"] * 3000, [f"new{n % 50}" for n in range(3000)], ["known7"] * 3000],
    ids=["one", "fifty", "one established"],
)
def test_a_few_viewers_move_no_film(
    client: FlaskClient, service: SearchService, target: str, users: list[str]
) -> None:
    before = list_page(client, service)
    send(client, "watch", target, users, watched_ms=9, duration_ms=10)
    send(client, "click", target, users, request_id="made-up")
    assert find_largest_move(before, list_page(client, service)) <= 5


def test_one_viewer_with_a_hundred_thousand_watches_fills_no_row(
    client: FlaskClient, service: SearchService
) -> None:
    before = list_page(client, service)
    for number in range(20):
        films = [f"film{(number * 5 + n) % FILMS:03}" for n in range(5)]
        for film in films:
            send(client, "watch", film, ["bot"] * 1000, watched_ms=5_400_000, duration_ms=6_000_000)
    assert find_largest_move(before, list_page(client, service)) <= 5
    page = client.get("/v1/recommendations?user=bot&limit=24").get_json()
    assert page["degraded"] == ["no model is promoted"]


def test_three_thousand_established_viewers_move_a_film(
    client: FlaskClient, service: SearchService, parts: Container
) -> None:
    users = [f"regular{n}" for n in range(3000)]
    at_ms = round(datetime.now(UTC).timestamp() * 1000) - 30 * DAY_MS
    known = [Event(f"r{n}", "watch", user, at_ms, f"film{n % 20:03}", 9, 10) for n, user in enumerate(users)]
    load_history(known, parts.events)
    assert "film118" not in list_page(client, service, PAGE)
    send(client, "watch", "film118", users, watched_ms=9, duration_ms=10)
    assert "film118" in list_page(client, service, PAGE)
