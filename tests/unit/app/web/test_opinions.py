"""What people say on the pages and over HTTP changes their pages at once, and undo takes it back."""

import re
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from reelrank.app.search.service import SearchService
from reelrank.app.web.application import WebOptions, create_app
from reelrank.app.wiring import Container, warm_service
from reelrank.index_mappings.item import Item
from reelrank.index_mappings.match import encode_item_ids
from reelrank.ranking.evaluation.intervals import bootstrap_intervals
from tests.page_client import open_pages
from tests.sample_project import FILMS, build_project

GENRES = {"Horror": "fear and blood", "Comedy": "fun and jokes"}
EXTRA = [
    Item(f"{genre}{n}".lower(), f"{genre} night {n}", genres=(genre,), duration_s=6000,
         description=f"A {genre.lower()} film about {about}",
         published_at=datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=n))
    for genre, about in GENRES.items()
    for n in range(40)
]  # fmt: skip
"""As many of each genre: a stranger's page has both, the newest first."""


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Container:
    return build_project(tmp_path_factory.mktemp("data"), datetime.now(UTC), EXTRA)


@pytest.fixture(scope="module")
def service(parts: Container) -> SearchService:
    return warm_service(parts)


@pytest.fixture(scope="module")
def client(parts: Container, service: SearchService) -> FlaskClient:
    return open_pages(create_app(service, WebOptions(8_000_000, parts.settings.reports_dir)))


def send(client: FlaskClient, user: str, kind: str, items: Sequence[str], **fields: Any) -> None:
    """Sends one event an item."""
    events = [{"id": uuid.uuid4().hex, "kind": kind, "user": user, "item": item, **fields} for item in items]
    assert client.post("/v1/events", json=events).status_code == 200


def recommend(client: FlaskClient, user: str, limit: int = 30) -> list[str]:
    answer = client.get("/v1/recommendations", query_string={"user": user, "limit": limit})
    return [hit["id"] for hit in answer.get_json()["hits"]]


def count_genre(ids: Sequence[str], genre: str) -> int:
    return sum(item_id.startswith(genre.lower()) for item_id in ids)


def test_twelve_skips_of_one_genre_do_not_bring_more_of_it(client: FlaskClient) -> None:
    stranger = recommend(client, "a-stranger")
    skipped = [f"horror{n}" for n in range(28, 40)]
    send(client, "skipper", "watch", skipped, watched_ms=20_000, duration_ms=6_000_000)
    page = recommend(client, "skipper")
    assert count_genre(page, "horror") < count_genre(stranger, "horror")
    assert not set(page) & set(skipped)


def test_skips_of_unknown_duration_do_the_same(client: FlaskClient) -> None:
    stranger = recommend(client, "a-stranger")
    send(client, "skipper-2", "watch", [f"horror{n}" for n in range(28, 40)], watched_ms=20_000)
    assert count_genre(recommend(client, "skipper-2"), "horror") < count_genre(stranger, "horror")


@pytest.mark.parametrize(("kind", "count"), [("like", 3), ("subscribe", 6)])
def test_likes_and_subscriptions_change_the_page(client: FlaskClient, kind: str, count: int) -> None:
    stranger = recommend(client, "a-stranger")
    liked = [f"sea{n}" for n in range(count)]
    send(client, f"fan-{kind}", kind, liked)
    page = recommend(client, f"fan-{kind}")
    assert count_genre(page[:6], "sea") > count_genre(stranger[:6], "sea")
    assert not set(page) & set(liked)


@pytest.mark.parametrize("kind", ["dislike", "not_interested"])
def test_a_rejected_film_never_comes_back_unless_undone(client: FlaskClient, kind: str) -> None:
    user = f"critic-{kind}"
    first = recommend(client, user)[0]
    send(client, user, kind, [first])
    assert first not in recommend(client, user, 100)
    send(client, user, "undo", [first])
    assert first in recommend(client, user, 100)


def test_undo_restores_the_page(client: FlaskClient) -> None:
    before = recommend(client, "waverer")
    for kind in ("like", "dislike", "subscribe"):
        send(client, "waverer", kind, ["space3"])
        assert recommend(client, "waverer") != before
        send(client, "waverer", "undo", ["space3"])
        assert recommend(client, "waverer") == before


def test_a_watched_film_stays_away_after_its_like_is_undone(client: FlaskClient) -> None:
    send(client, "returner", "watch", ["sea1"], watched_ms=6_000_000, duration_ms=6_000_000)
    send(client, "returner", "like", ["sea1"])
    send(client, "returner", "undo", ["sea1"])
    assert "sea1" not in recommend(client, "returner", 100)


def test_heartbeats_bring_no_watched_film_back(client: FlaskClient) -> None:
    """Ten films to the end, then 520 reports of one playback."""
    watched = [f"sea{n}" for n in range(10)]
    send(client, "heart", "watch", watched, watched_ms=6_000_000, duration_ms=6_000_000)
    send(client, "heart", "watch", ["space1"] * 520, watched_ms=5_000_000, duration_ms=6_000_000)
    assert not {*watched, "space1"} & set(recommend(client, "heart", 100))


def test_a_watch_of_a_clock_that_is_ahead_counts_at_once(client: FlaskClient) -> None:
    ahead_ms = round((datetime.now(UTC) + timedelta(minutes=4)).timestamp() * 1000)
    before = recommend(client, "early")
    send(
        client,
        "early",
        "watch",
        ["space2", "space4"],
        watched_ms=6_000_000,
        duration_ms=6_000_000,
        at_ms=ahead_ms,
    )
    page = recommend(client, "early")
    assert not {"space2", "space4"} & set(page)
    assert count_genre(page[:6], "space") > count_genre(before[:6], "space")


def test_the_page_says_what_a_dislike_changed_and_undoes_it(client: FlaskClient) -> None:
    client.post("/viewer", data={"viewer": "page-critic"})
    listed = re.findall(r'href="/film/([^"?]+)', client.get("/").text)[0]
    done = client.post("/dislike", data={"item": listed, "back": f"/film/{listed}"}, follow_redirects=True)
    assert "You disliked" in done.text
    assert "not recommended again" in done.text
    assert "You dislike this film." in done.text
    assert listed not in recommend(client, "page-critic", 100)
    undone = client.post("/undo", data={"item": listed, "back": f"/film/{listed}"}, follow_redirects=True)
    assert "You took back" in undone.text
    assert "You dislike this film." not in undone.text
    assert listed in recommend(client, "page-critic", 100)


def test_the_home_page_counts_what_a_like_brought(client: FlaskClient) -> None:
    client.post("/viewer", data={"viewer": "page-fan"})
    home = client.get("/").text
    request_id = re.findall(r'name="request_id" value="([^"]+)"', home)[0]
    form = {"item": FILMS[0].id, "request_id": request_id, "back": "/"}
    liked = client.post("/like", data=form, follow_redirects=True)
    assert re.search(r"You liked .* \d+ of these \d+ films are new because of it", liked.text)
    assert 'action="/undo"' in liked.text


@pytest.mark.parametrize("kind", ["like", "dislike", "not_interested"])
def test_an_opinion_on_an_unknown_film_is_refused(client: FlaskClient, kind: str) -> None:
    assert client.post(f"/{kind}", data={"item": "gone"}).status_code == 404


def test_a_skip_pushes_what_is_near_down_and_a_watch_pulls_it_up(
    client: FlaskClient, service: SearchService
) -> None:
    """Over 40 films: the mean rank of the ten nearest, against a stranger's, after 5 % and after 95 %."""
    table = service.refresher.state.table
    text = np.asarray(table.vectors["text"][np.arange(len(table))])
    stranger = recommend(client, "a-stranger", 100)
    changes = {5: list[float](), 95: list[float]()}
    for item in EXTRA[::2]:
        (row,) = table.find_rows(encode_item_ids([item.id])).tolist()
        near = table.ids[np.argsort(-(text @ text[row]))[1:11]].tolist()
        for percent, ranks in changes.items():
            user = f"{item.id}-{percent}"
            send(client, user, "watch", [item.id], watched_ms=60_000 * percent, duration_ms=6_000_000)
            page = recommend(client, user, 100)
            before = [i for i in stranger if i != item.id]
            moved = [_find(page, i.decode()) - _find(before, i.decode()) for i in near]
            ranks.append(float(np.mean(moved)))
    down, up = (bootstrap_intervals(np.array([ranks]).T)[0] for ranks in changes.values())
    assert down.low > 0
    assert up.high < 0


def _find(page: Sequence[str], item_id: str) -> int:
    return page.index(item_id) if item_id in page else len(page)
