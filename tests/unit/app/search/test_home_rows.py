"""Rows of a home page: what is in them, and that no item is on a page twice."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reelrank.app.search.page import Page, RankingOptions
from reelrank.app.search.service import SearchService
from reelrank.app.web.api.answer_models import ListAnswer
from reelrank.app.web.application import WebOptions, create_app
from reelrank.app.wiring import Container, warm_service
from reelrank.index_mappings.event import Event
from reelrank.index_mappings.query import Context, Query
from tests.sample_project import build_project
from tests.slow_engine import SlowEngine

NOW = datetime(2026, 11, 24, tzinfo=UTC)
ROW = 4


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> Container:
    return build_project(tmp_path_factory.mktemp("data"), NOW)


@pytest.fixture(scope="module")
def service(container: Container) -> SearchService:
    return warm_service(container)


def load_home(service: SearchService, user: str | None, limit: int = 4) -> Page:
    query = Query(user=user, limit=limit, context=Context(NOW))
    return service.serve_page(RankingOptions(query, cache_results=True, row_size=ROW))


def list_ids(page: Page) -> list[str]:
    return [hit.item.id for hits in (page.hits, *(row.hits for row in page.rows)) for hit in hits]


@pytest.mark.parametrize("user", [None, "stranger", *(f"u{n}" for n in range(6))])
@pytest.mark.parametrize("limit", [1, 4, 10, 20])
def test_no_item_is_on_a_page_twice_and_none_was_watched(
    service: SearchService, user: str | None, limit: int
) -> None:
    shown = list_ids(load_home(service, user, limit))
    watched = service.events.watched_items(user, 1.0) if user else frozenset()
    assert len(shown) == len(set(shown))
    assert not set(shown) & watched


def test_a_known_viewer_has_a_row_about_their_newest_watch(service: SearchService) -> None:
    (newest, *_) = service.events.recent("u0", 1, 1.0, ("watch",))
    row = load_home(service, "u0").rows[0]
    assert row.kind == "because"
    assert row.watched is not None
    assert row.watched.id == newest.item
    assert 0 < len(row.hits) <= ROW


def test_a_viewer_without_a_history_has_popular_and_new_items(service: SearchService) -> None:
    for user in (None, "stranger"):
        rows = {row.kind: row for row in load_home(service, user).rows}
        assert set(rows) <= {"popular", "new"}
        assert "popular" in rows
        ranks = [hit.sources["popular"] for hit in rows["popular"].hits]
        assert ranks == sorted(ranks)


def test_a_genre_row_has_items_of_the_genre_the_viewer_prefers(service: SearchService) -> None:
    at_ms = round(NOW.timestamp() * 1000) - 1000
    service.events.append([Event("w1", "watch", "fan", at_ms, "sea3", 9, 10)])
    query = Query(user="fan", limit=1, context=Context(NOW))
    page = service.serve_page(RankingOptions(query, row_size=3))
    rows = {row.kind: row for row in page.rows}
    assert rows["genre"].label == "Sea"
    assert all(rows["genre"].label in hit.item.genres for hit in rows["genre"].hits)


def test_each_item_of_a_row_can_be_explained_by_its_position(service: SearchService) -> None:
    for row in load_home(service, "u0").rows:
        for hit in row.hits:
            (explained,) = service.explain_hit(f"{row.request_id}.{hit.position}").hits
            assert explained.item.id == hit.item.id


def test_items_of_rows_are_recorded_as_shown(container: Container) -> None:
    service = warm_service(container)
    service.recorder.start()
    page = load_home(service, "watcher-of-rows")
    service.recorder.close()
    impressions = service.events.recent("watcher-of-rows", 1000, 1.0, ("impression",))
    assert sorted(event.item for event in impressions) == sorted(list_ids(page))


def test_a_late_engine_costs_only_the_row_of_similar_items(container: Container) -> None:
    engine = SlowEngine(container.settings.engine_dir, container.clock)
    slow = replace(warm_service(replace(container, engine=engine)), deadline_s=0.1)
    page = load_home(slow, "u0")
    assert "neighbours" in page.missing_parts
    assert len(page.hits) == 4
    assert "popular" in (kinds := {row.kind for row in page.rows})
    assert "because" not in kinds


def test_the_api_answers_rows_when_they_are_requested(service: SearchService, tmp_path: Path) -> None:
    client = create_app(service, WebOptions(1000, tmp_path)).test_client()
    address = "/v1/recommendations?user=u0&limit=4"
    assert "rows" not in client.get(address).get_json()
    answer = client.get(f"{address}&rows=4").get_json()
    assert ListAnswer.model_validate(answer).rows
    first = answer["rows"][0]
    assert first["kind"] == "because"
    assert first["watched"]["id"]
    assert {row["request_id"] for row in answer["rows"][1:]} == {answer["request_id"]}
    assert client.get(f"{address}&rows=51").status_code == 400
