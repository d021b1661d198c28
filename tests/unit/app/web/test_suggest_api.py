"""GET /v1/suggest: titles and people, whatever is typed; never a deleted title."""

from datetime import UTC, datetime

import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st

from reelrank.app.web.application import WebOptions, create_app
from reelrank.app.wiring import Container, warm_service
from reelrank.index_mappings.item import Item
from tests.sample_project import build_project

EXTRA = (
    Item("odd1", "Sea story 1", people=("Ada Seaborn", "Bea Zorn")),
    Item("odd2", "Unwatched wonder", people=("Ada Seaborn",), published_at=datetime(1999, 1, 1, tzinfo=UTC)),
)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Container:
    return build_project(tmp_path_factory.mktemp("data"), datetime.now(UTC), EXTRA)


@pytest.fixture(scope="module")
def client(parts: Container) -> FlaskClient:
    options = WebOptions(1_000_000, parts.settings.reports_dir)
    return create_app(warm_service(parts), options).test_client()


def suggest(client: FlaskClient, text: str, limit: int = 8) -> list[dict[str, object]]:
    answer = client.get("/v1/suggest", query_string={"q": text, "limit": limit})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, object]] = answer.json["suggestions"]  # type: ignore[index]
    assert len(found) <= limit
    return found


def test_a_title_names_its_item_and_a_person_their_items(client: FlaskClient) -> None:
    title = {"kind": "title", "text": "Unwatched wonder", "id": "odd2", "year": 1999}
    assert suggest(client, "unw") == suggest(client, "UNWATCHED WONDRE") == [title]
    assert suggest(client, "bea") == [{"kind": "person", "text": "Bea Zorn", "items": 1}]


def test_titles_come_first_and_people_keep_their_share(client: FlaskClient) -> None:
    found = suggest(client, "sea", 6)
    assert [each["kind"] for each in found] == ["title"] * 5 + ["person"]
    assert found[5] == {"kind": "person", "text": "Ada Seaborn", "items": 2}


def test_equal_titles_are_suggested_once(client: FlaskClient) -> None:
    texts = [each["text"] for each in suggest(client, "sea story 1", 20)]
    assert texts.count("Sea story 1") == 1


def test_popular_titles_are_suggested_before_anything_is_typed(client: FlaskClient) -> None:
    texts = [each["text"] for each in suggest(client, "", 20)]
    assert len(texts) == 20
    assert "Unwatched wonder" not in texts


def test_a_deleted_title_is_not_suggested(client: FlaskClient) -> None:
    client.put("/v1/items/odd2", json={"title": "Unwatched wonder"})
    client.delete("/v1/items/odd2")
    assert suggest(client, "unwatched") == []
    client.put("/v1/items/odd2", json={"title": "Unwatched wonder"})


@pytest.mark.parametrize("query", ["limit=0", "limit=21", "q=" + "a" * 401, "colour=red"])
def test_a_limit_or_text_out_of_range_is_rejected(client: FlaskClient, query: str) -> None:
    answer = client.get(f"/v1/suggest?{query}")
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_request")  # type: ignore[index]


@settings(deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_answered_with_suggestions(client: FlaskClient, text: str) -> None:
    suggest(client, text)
