"""Lists over HTTP: search, recommendations, similar items, paging, explanations, ranking."""

import re

import pytest

from tests.running_service import ServiceProcess

pytestmark = pytest.mark.slow


def list_ids(answer: object) -> list[str]:
    return [hit["id"] for hit in answer["hits"]]  # type: ignore[index]  # a test's own JSON


def test_a_search_finds_by_text_and_names_its_model(service: ServiceProcess) -> None:
    answer = service.get("/v1/search?q=story+7&user=u0&genre=Sea")
    assert answer.status == 200
    assert {hit["genres"][0] for hit in answer.json["hits"]} == {"Sea"}
    assert answer.json["model"] == "first"
    assert answer.json["degraded"] == []
    assert "source_bm25" in answer.headers["Server-Timing"]
    assert answer.headers["X-Request-Id"] == answer.json["request_id"]


def test_a_search_by_body_equals_one_by_address(service: ServiceProcess) -> None:
    by_address = service.get("/v1/search?q=story&genre=Sea&genre=Space&year_min=2004").json
    by_body = service.post("/v1/search", {"q": "story", "genre": ["Sea", "Space"], "year_min": 2004}).json
    assert list_ids(by_address) == list_ids(by_body)


def test_recommendations_suit_the_viewers_taste_and_are_new_to_them(service: ServiceProcess) -> None:
    page = service.get("/v1/recommendations?user=u1&limit=5&model=engine-order").json
    assert all(name.startswith("space") for name in list_ids(page))
    assert page["model"] == "engine-order"


def test_an_exploration_slot_is_marked_in_answer_page_and_metrics(service: ServiceProcess) -> None:
    answer = service.get("/v1/recommendations?user=u1&limit=10")
    assert answer.json["degraded"] == []  # such a page is not explored
    (hit,) = (hit for hit in answer.json["hits"] if "drawn" in hit)
    assert hit["position"] == 5 <= hit["drawn"]["came_from"]
    assert 0 < hit["drawn"]["propensity"] < 1
    assert "explore" in answer.headers["Server-Timing"]
    why = service.get(f"/why/{answer.json['request_id']}/5").body.decode()
    assert f"its probability of being picked was {100 * hit['drawn']['propensity']:.1f} %" in why
    assert re.search(r"reelrank_drawn_hits_total [1-9]", service.get("/metrics").body.decode())


def test_similar_items_exclude_the_item_and_need_a_known_one(service: ServiceProcess) -> None:
    page = service.get("/v1/items/sea3/similar?limit=5").json
    assert "sea3" not in list_ids(page)
    assert service.get("/v1/items/nowhere/similar").json["code"] == "item_not_found"


def test_pages_of_a_list_repeat_and_lose_nothing_during_changes(service: ServiceProcess) -> None:
    whole = list_ids(service.get("/v1/search?q=story&user=u3&limit=100").json)
    page = service.get("/v1/search?q=story&user=u3&limit=5").json
    seen, model = list_ids(page), page["model"]
    service.post("/v1/models/second:promote", {})
    service.post("/v1/events", {"kind": "watch", "user": "u3", "item": "sea1"})
    while page["next"]:
        page = service.get(page["next"]).json
        assert page["model"] == model
        seen += list_ids(page)
    service.post("/v1/models/first:promote", {})
    assert seen == whole


def test_an_expired_cursor_asks_for_the_first_page(service: ServiceProcess) -> None:
    answer = service.get("/v1/search?cursor=0123.5")
    assert (answer.status, answer.json["code"]) == (404, "cursor_expired")
    assert "ask for the first page again" in answer.json["detail"]


def test_an_explanation_adds_up_to_the_score_on_any_page(service: ServiceProcess) -> None:
    first = service.get("/v1/search?q=story&user=u0&limit=3&explain=true").json
    second = service.get(first["next"] + "&explain=true").json
    for hit in first["hits"] + second["hits"]:
        why = hit["explanation"]
        assert why["base"] + sum(why["contributions"].values()) == pytest.approx(hit["score"], abs=1e-4)
        assert {s: m["rank"] for s, m in why["matches"].items()} == hit["sources"]
        assert why["signals"]["fused"] > 0


def test_facets_count_what_the_words_match(service: ServiceProcess) -> None:
    page = service.get("/v1/search?q=sea&facets=true&limit=1").json
    assert page["facets"]["genres"] == {"Sea": 12}
    assert sum(page["facets"]["decades"].values()) == page["total"] == 12 < page["candidates"]
    assert (page["match"], page["total_relation"], page["hits"][0]["match"]) == ("lexical", "eq", "lexical")


def test_own_candidates_are_ranked_by_the_named_model(service: ServiceProcess) -> None:
    body = {"ids": ["sea1", "space2", "unknown"], "user": "u0", "scores": {"bm25": [1.5, None, 3.0]}}
    ranked = service.post("/v1/rank/second", body).json
    assert sorted(ranked["ids"]) == ["sea1", "space2", "unknown"]
    assert ranked["scores"] == sorted(ranked["scores"], reverse=True)
    assert ranked["model"] == "second"
    assert service.post("/v1/rank/engine-order", body).json["ids"] == ["sea1", "unknown", "space2"]
    assert service.post("/v1/rank/unknown", body).json["code"] == "model_not_found"


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/v1/search", "q"),
        ("/v1/search?q=a&colour=red", "colour"),
        ("/v1/search?q=a&limit=1000", "limit"),
        ("/v1/search?q=a&limit=ten", "limit"),
        ("/v1/search?q=a&sort=newst", "sort"),
        ("/v1/search?q=a&fields=title,yaer", "fields.1"),
        ("/v1/search?q=a&year_min=2010&year_max=2000", "request"),
        ("/v1/search?q=" + "a" * 401, "q"),
        ("/v1/recommendations?user=", "user"),
        ("/v1/items/a%20b/similar", "item_id"),
    ],
)
def test_an_invalid_request_names_the_field_to_correct(
    service: ServiceProcess, path: str, field: str
) -> None:
    answer = service.get(path)
    assert (answer.status, answer.json["code"]) == (400, "invalid_request")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert [error["field"] for error in answer.json["errors"]] == [field]
    assert answer.json["request_id"] == answer.headers["X-Request-Id"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"ids": []}, "ids"),
        ({"ids": ["a", "a"]}, "ids"),
        ({"ids": ["a"], "scores": {"magic": [1]}}, "scores"),
        ({"ids": ["a"], "scores": {"bm25": [1, 2]}}, "scores.bm25"),
        ({"ids": ["a"], "extra": 1}, "extra"),
    ],
)
def test_invalid_candidates_name_the_field_to_correct(
    service: ServiceProcess, body: object, field: str
) -> None:
    answer = service.post("/v1/rank/current", body)
    assert (answer.status, answer.json["code"]) == (400, "invalid_request")
    assert [error["field"] for error in answer.json["errors"]] == [field]


def test_the_details_of_invalid_requests_say_what_to_do(service: ServiceProcess) -> None:
    assert service.get("/v1/search").json["detail"] == (
        "q: state what to search for, such as ?q=star+wars, a filter or a cursor"
    )
    assert service.get("/v1/search?q=a&colour=red").json["detail"] == (
        "colour: there is no such parameter; /openapi lists them all"
    )
    assert service.get("/v1/search?q=a&year_min=2010&year_max=2000").json["detail"] == (
        "request: year_min 2010 is above year_max 2000; swap them"
    )
    twice = service.post("/v1/rank/current", {"ids": ["a", "a"]})
    assert twice.json["detail"] == "ids: an id is repeated; send each id once"
