"""What a client does with lists: search, recommendations, similar items, paging, explaining, ranking."""

import re

import pytest

from tests.running_service import ServiceProcess

pytestmark = pytest.mark.slow


def list_ids(answer: object) -> list[str]:
    return [hit["id"] for hit in answer["hits"]]  # type: ignore[index]  # a test's own JSON


def test_a_search_finds_by_words_and_says_what_ranked_it(service: ServiceProcess) -> None:
    answer = service.get("/v1/search?q=story+7&user=u0&genre=Sea")
    assert answer.status == 200
    assert {hit["genres"][0] for hit in answer.json["hits"]} == {"Sea"}
    assert answer.json["model"] == "first"
    assert answer.json["degraded"] == []
    assert "source_bm25" in answer.headers["Server-Timing"]
    assert answer.headers["X-Request-Id"] == answer.json["request_id"]


def test_search_by_body_is_the_same_search(service: ServiceProcess) -> None:
    by_address = service.get("/v1/search?q=story&genre=Sea&genre=Space&year_min=2004").json
    by_body = service.post("/v1/search", {"q": "story", "genre": ["Sea", "Space"], "year_min": 2004}).json
    assert list_ids(by_address) == list_ids(by_body)


def test_recommendations_are_of_the_viewers_taste_and_new_to_them(service: ServiceProcess) -> None:
    page = service.get("/v1/recommendations?user=u1&limit=5&model=engine-order").json
    assert all(name.startswith("space") for name in list_ids(page))
    assert page["model"] == "engine-order"


def test_a_hit_that_was_drawn_says_so_in_the_answer_in_words_and_in_numbers(service: ServiceProcess) -> None:
    answer = service.get("/v1/recommendations?user=u1&limit=10")
    (hit,) = (hit for hit in answer.json["hits"] if "drawn" in hit)
    assert hit["position"] == 5 <= hit["drawn"]["came_from"]
    assert 0 < hit["drawn"]["propensity"] < 1
    assert "explore" in answer.headers["Server-Timing"]
    why = service.get(f"/why/{answer.json['request_id']}/5").body.decode()
    assert f"a chance of {100 * hit['drawn']['propensity']:.1f} % to be picked" in why
    assert re.search(r"reelrank_drawn_hits_total [1-9]", service.get("/metrics").body.decode())


def test_similar_items_do_not_hold_the_item_and_an_unknown_item_has_none(service: ServiceProcess) -> None:
    page = service.get("/v1/items/sea3/similar?limit=5").json
    assert "sea3" not in list_ids(page)
    assert service.get("/v1/items/nowhere/similar").status == 404


def test_pages_of_a_list_repeat_and_lose_nothing_whatever_happens_meanwhile(service: ServiceProcess) -> None:
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


def test_a_cursor_that_is_kept_no_longer_says_so(service: ServiceProcess) -> None:
    answer = service.get("/v1/search?cursor=0123.5")
    assert answer.status == 404
    assert "first page" in answer.json["detail"]


def test_an_explanation_adds_up_to_the_score_on_any_page(service: ServiceProcess) -> None:
    first = service.get("/v1/search?q=story&user=u0&limit=3&explain=true").json
    second = service.get(first["next"] + "&explain=true").json
    for hit in first["hits"] + second["hits"]:
        why = hit["explanation"]
        assert why["base"] + sum(why["contributions"].values()) == pytest.approx(hit["score"], abs=1e-4)
        assert {s: m["rank"] for s, m in why["matches"].items()} == hit["sources"]
        assert why["signals"]["fused"] > 0


def test_facets_count_the_candidates(service: ServiceProcess) -> None:
    page = service.get("/v1/search?q=story&facets=true&limit=1").json
    assert page["facets"]["genres"] == {"Sea": 12, "Space": 12}
    assert sum(page["facets"]["decades"].values()) == page["candidates"]


def test_ones_own_candidates_are_ranked_by_the_model_that_is_named(service: ServiceProcess) -> None:
    body = {"ids": ["sea1", "space2", "unknown"], "user": "u0", "scores": {"bm25": [1.5, None, 3.0]}}
    ranked = service.post("/v1/rank/second", body).json
    assert sorted(ranked["ids"]) == ["sea1", "space2", "unknown"]
    assert ranked["scores"] == sorted(ranked["scores"], reverse=True)
    assert ranked["model"] == "second"
    assert service.post("/v1/rank/engine-order", body).json["ids"] == ["sea1", "unknown", "space2"]
    assert service.post("/v1/rank/nobody", body).status == 404


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/v1/search", "q: say what to search for"),
        ("/v1/search?q=a&colour=red", "colour: there is no such parameter"),
        ("/v1/search?q=a&limit=1000", "limit"),
        ("/v1/search?q=a&limit=ten", "limit"),
        ("/v1/search?q=a&year_min=2010&year_max=2000", "exchange them"),
        ("/v1/search?q=" + "a" * 401, "q:"),
        ("/v1/search?q=a&model=nobody", "there is no such model"),
        ("/v1/recommendations?user=", "user:"),
        ("/v1/items/a%20b/similar", "item_id:"),
    ],
)
def test_a_request_that_makes_no_sense_is_told_what_to_correct(
    service: ServiceProcess, path: str, says: str
) -> None:
    answer = service.get(path)
    assert answer.status in (400, 404)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert says in answer.json["detail"]
    assert answer.json["request_id"] == answer.headers["X-Request-Id"]


def test_what_is_wrong_with_several_together_names_the_one_to_change(service: ServiceProcess) -> None:
    (nothing,) = service.get("/v1/search").json["errors"]
    assert (nothing["field"], nothing["detail"][:3]) == ("q", "say")
    (scores,) = service.post("/v1/rank/current", {"ids": ["a"], "scores": {"bm25": []}}).json["errors"]
    assert (scores["field"], scores["detail"]) == ("scores.bm25", "0 scores for 1 ids")
    (years,) = service.get("/v1/search?q=a&year_min=2010&year_max=2000").json["errors"]
    assert years["field"] == "request"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"ids": []}, "ids"),
        ({"ids": ["a", "a"]}, "named twice"),
        ({"ids": ["a"], "scores": {"magic": [1]}}, "there is no source 'magic'"),
        ({"ids": ["a"], "scores": {"bm25": [1, 2]}}, "2 scores for 1 ids"),
        ({"ids": ["a"], "extra": 1}, "extra: there is no such parameter"),
    ],
)
def test_candidates_that_do_not_fit_are_told_why(service: ServiceProcess, body: object, says: str) -> None:
    answer = service.post("/v1/rank/current", body)
    assert answer.status == 400
    assert says in answer.json["detail"]
