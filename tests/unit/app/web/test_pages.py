"""The pages without a browser: what they show, what they reject, and how actions change them."""

import json
import re
from datetime import UTC, datetime
from html import unescape
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from reelrank.app.settings import Settings
from reelrank.app.web.access.request_origin import restrict_to_local
from reelrank.app.web.application import WebOptions, create_app
from reelrank.app.web.pages import site
from reelrank.app.web.pages.posters import COLOURS, build_poster
from reelrank.app.web.problem_codes import load_problems
from reelrank.app.wiring import Container, build_container, build_release_manager, build_service, warm_service
from reelrank.index_mappings.item import Document, Item
from reelrank.ranking.evaluation.comparison import Evaluation, MetricResult
from reelrank.ranking.evaluation.intervals import Interval
from tests.page_client import open_pages
from tests.sample_project import add_model, build_project


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Container:
    parts = build_project(tmp_path_factory.mktemp("data"), datetime.now(UTC))
    add_model(parts, "first", 0)
    build_release_manager(parts).promote_model("first")
    return parts


@pytest.fixture
def person(parts: Container) -> FlaskClient:
    options = WebOptions(1_000_000, parts.settings.reports_dir)
    return open_pages(create_app(warm_service(parts), options))


def read_field(page: TestResponse, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page.text)
    assert found is not None, name
    return found.group(1)


def read_problem_code(page: TestResponse) -> str:
    found = re.search(r'href="/problems/([a-z_]+)"', page.text.split("<main")[1])
    assert found is not None, page.text
    return found.group(1)


def test_an_unknown_viewers_home_page_shows_films_and_offers_viewers(person: FlaskClient) -> None:
    page = person.get("/")
    assert page.status_code == 200
    assert "No viewer is selected" in page.text
    assert page.text.count('class="card"') >= 12
    assert "Ranked by first" in page.text


def test_a_selected_viewer_is_remembered_with_their_history(person: FlaskClient) -> None:
    person.post("/viewer", data={"viewer": "u0"})
    page = person.get("/")
    assert "For u0" in page.text
    assert "Recently watched" in page.text
    assert "90 % watched" in page.text


def test_a_home_page_has_rows_below_its_list(person: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site, "PAGE_ITEMS", 2)
    person.post("/viewer", data={"viewer": "u0"})
    text = person.get("/").text
    for heading in ("Because you watched", "Popular now"):
        assert heading in text
    cards = re.findall(r'<a href="/film/([^"?]+)[?]from=', text)
    assert len(cards) == len(set(cards)) > 2


def test_a_search_has_facets_and_filters_that_can_be_removed(person: FlaskClient) -> None:
    page = person.get("/search?q=story")
    assert 'href="/search?q=story&amp;genre=Sea"' in page.text
    narrowed = person.get("/search?q=story&genre=Sea&year_min=2003&year_max=")
    assert "Space story" not in narrowed.text
    assert 'href="/search?q=story&amp;year_min=2003"' in narrowed.text
    assert "from 2003" in narrowed.text


def test_a_search_can_be_sorted_and_keeps_its_filters(person: FlaskClient) -> None:
    page = person.get("/search?q=story&genre=Sea").text
    assert 'href="/search?q=story&amp;genre=Sea&amp;sort=newest"' in page
    newest = person.get("/search?q=story&genre=Sea&sort=newest").text
    years = [int(year) for year in re.findall(r"Sea story \d+, (\d{4})</span>", newest)]
    assert years == sorted(years, reverse=True)
    assert len(years) == 12
    assert 'href="/search?q=story&amp;genre=Sea"' in newest


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("sea", "/search?genre=Sea&sort=popular"),
        ("SPACE films", "/search?genre=Space&sort=popular"),
        ("s-e-a movies", "/search?genre=Sea&sort=popular"),
        ("2003", "/search?year_min=2003&year_max=2003&sort=popular"),
        ("1990s", "/search?year_min=1990&year_max=1999&sort=popular"),
        ("90's films", "/search?year_min=1990&year_max=1999&sort=popular"),
        ("sea story 2003", "/search?q=sea+story&year_min=2003&year_max=2003&sort=popular"),
        ("sea story", None),
        ("films", None),
        ("20033", None),
        ("2003&genre=Sea", None),
    ],
)
def test_a_typed_filter_value_is_offered_as_a_filter(
    person: FlaskClient, text: str, address: str | None
) -> None:
    page = unescape(person.get(f"/search?q={quote(text, safe='&=')}").text)
    offered = re.findall(r'aria-label="Show all">(.*?)</ul>', page)
    assert [re.findall(r'href="([^"]+)"', each) for each in offered] == ([[address]] if address else [])


def test_a_filter_alone_lists_the_catalogue_and_leads_home_when_removed(person: FlaskClient) -> None:
    film = person.get("/film/sea3").text
    assert 'href="/search?genre=Sea&amp;sort=popular"' in film
    listed = person.get("/search?genre=Sea&sort=popular").text
    assert "12 films" in listed
    assert "Space story" not in listed
    assert '<li><a href="/">' in listed


@pytest.mark.parametrize("address", ["/search", "/search?q=", "/search?q=%20&sort=newest&year_min=&genre="])
def test_a_search_for_nothing_leads_home(person: FlaskClient, address: str) -> None:
    page = person.get(address)
    assert (page.status_code, page.location) == (303, "/")


def test_a_search_without_text_matches_names_its_hits_similar(person: FlaskClient) -> None:
    assert "similar in meaning" in person.get("/search?q=ocean").text
    assert "similar in meaning" not in person.get("/search?q=story").text


def test_a_search_counts_its_matches_and_separates_similar_films(person: FlaskClient) -> None:
    page = person.get("/search?q=sea").text
    assert "12 films found" in page
    matching, similar = page.split("Similar in meaning")
    assert "Space story" not in matching
    assert "Sea story" not in similar


def test_a_search_without_hits_suggests_what_to_try(person: FlaskClient) -> None:
    page = person.get("/search?q=story&genre=Western")
    assert "No films found" in page.text
    assert "Search without filters" in page.text


def test_search_text_is_escaped_and_only_our_script_runs(person: FlaskClient) -> None:
    page = person.get("/search?q=<script>alert(1)</script>")
    assert "<script>" not in page.text
    policy = page.headers["Content-Security-Policy"].split("; ")
    assert {"default-src 'none'", "script-src 'self'", "connect-src 'self'"} <= set(policy)
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    assert all(' src="/static/' in tag for tag in re.findall(r"<script[^>]*>", page.text))


def test_every_hit_has_an_explanation_with_a_chart_and_its_text(person: FlaskClient) -> None:
    listed = person.get("/search?q=sea+story")
    address = re.search(r'href="(/why/[^"]+)"', listed.text)
    assert address is not None
    page = person.get(address.group(1))
    assert "It contains words that you typed." in page.text
    assert "What moved it up or down" in page.text
    assert page.text.count("<rect") >= 1
    assert "Raised most by" in page.text or "Lowered most by" in page.text


def test_an_explanation_records_no_impression(person: FlaskClient, parts: Container) -> None:
    listed = person.get("/search?q=sea+story")
    before = parts.events.count()
    for address in re.findall(r'href="(/why/[^"]+)"', listed.text)[:3]:
        person.get(address)
    assert parts.events.count() == before


def test_watching_changes_the_page_and_confirms_it(person: FlaskClient) -> None:
    person.post("/viewer", data={"viewer": "fresh-viewer"})
    before = person.get("/")
    item = read_field(before, "item")
    form = {name: read_field(before, name) for name in ("item", "request_id", "position", "event_id", "back")}
    after = person.post("/watch", data=form, follow_redirects=True)
    assert 'role="status">You watched' in after.text
    assert (
        f'action="/watch" method="post">\n<input type="hidden" name="item" value="{item}"' not in after.text
    )
    assert "95 % watched" in after.text


def test_a_double_click_counts_once(person: FlaskClient, parts: Container) -> None:
    person.post("/viewer", data={"viewer": "clicker"})
    form = {"item": "sea1", "event_id": "e" * 32, "request_id": "r", "position": "2"}
    for _ in range(2):
        assert person.post("/watch", data=form).status_code == 303
    (event,) = parts.events.recent("clicker", 10, 1.0)
    assert (event.kind, event.item, event.request_id, event.position) == ("watch", "sea1", "r", 2)
    assert event.play_id == event.id
    assert event.started_ms == event.at_ms


def test_only_the_page_of_a_viewer_reports_what_was_seen(person: FlaskClient) -> None:
    assert "viewed.js" not in person.get("/").text
    person.post("/viewer", data={"viewer": "seer"})
    page = person.get("/").text
    assert re.search(r'<script src="/static/[0-9a-f]+/viewed.js" defer></script>', page)
    lists = re.findall(r'<ol class="shelf ?\w*" data-request="([0-9a-f]{32})"', page)
    assert len(lists) == page.count("<ol ") - page.count('id="history"')
    assert re.search(r'<li class="card" data-item="(sea|space)\d+" data-position="0"', page)


def test_what_was_seen_counts_once_for_the_viewer_of_the_session(
    person: FlaskClient, parts: Container
) -> None:
    assert person.post("/viewed", data={"seen": "r 0 sea1"}).status_code == 204
    person.post("/viewer", data={"viewer": "seer"})
    for seen in ("r 0 sea1\nr 1 sea2", "r 1 sea2"):
        assert person.post("/viewed", data={"seen": seen}).status_code == 204
    viewed = parts.events.recent("seer", 10, 1.0, ("viewed",))
    assert sorted((event.id, event.item, event.request_id, event.position) for event in viewed) == [
        ("viewed-r-0", "sea1", "r", 0),
        ("viewed-r-1", "sea2", "r", 1),
    ]


@pytest.mark.parametrize("seen", ["", "r 0", "r x sea1", "r -1 sea1", "r 0 sea1 more", "r 0 sea1\n" * 501])
def test_a_report_that_no_page_sends_is_rejected(person: FlaskClient, parts: Container, seen: str) -> None:
    person.post("/viewer", data={"viewer": "forger"})
    assert person.post("/viewed", data={"seen": seen}).status_code == 400
    assert parts.events.recent("forger", 10, 1.0, ("viewed",)) == []


def test_an_unknown_viewer_who_watches_becomes_a_guest(person: FlaskClient) -> None:
    answer = person.post("/watch", data={"item": "sea1", "event_id": "a"})
    assert "SameSite=Lax" in answer.headers["Set-Cookie"]
    assert "HttpOnly" in answer.headers["Set-Cookie"]
    assert ">guest-" in person.get("/about").text


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://elsewhere.example"}]
)
def test_a_form_from_another_site_is_rejected(
    person: FlaskClient, parts: Container, headers: dict[str, str]
) -> None:
    before = parts.events.count()
    answer = person.post("/watch", data={"item": "sea1"}, headers=headers)
    assert answer.status_code == 403
    assert read_problem_code(answer) == "cross_site_request"
    assert parts.events.count() == before


@pytest.mark.parametrize(
    "address",
    [
        "//elsewhere.example",
        "https://elsewhere.example",
        "/\\elsewhere",
        "x",
        "/\n//a",
        "/\t/a",
        "/a\r\nX: y",
        f"/{'a' * 2_000}",
    ],
)
def test_no_redirect_leads_to_another_site(address: str) -> None:
    assert restrict_to_local(address, "/") == "/"
    assert restrict_to_local("/film/a", "/") == "/film/a"


def test_a_film_page_has_details_and_similar_films(person: FlaskClient) -> None:
    page = person.get("/film/sea3")
    assert "Sea story 3" in page.text
    assert "100 minutes" in page.text
    assert "Similar films" in page.text


@pytest.mark.parametrize(
    ("address", "status", "code"),
    [("/film/unknown", 404, "item_not_found"), ("/nowhere", 404, "address_not_found"),
     ("/search?q=a&sort=no", 400, "invalid_request"), ("/why/0/0", 404, "cursor_expired"),
     ("/search?q=a&year_min=no", 400, "invalid_request"), ("/report/secret", 404, "address_not_found")],
)  # fmt: skip
def test_errors_are_pages_that_link_to_their_code(
    person: FlaskClient, address: str, status: int, code: str
) -> None:
    page = person.get(address, headers={"Accept": "text/html"})
    assert page.status_code == status
    assert read_problem_code(page) == code
    assert f"<h1>{load_problems()[code].title}</h1>" in page.text


def test_an_error_page_says_what_is_wrong_and_what_to_do(person: FlaskClient) -> None:
    page = person.get("/film/unknown")
    assert '<p role="alert">there is no film &#39;unknown&#39;; it may have been deleted</p>' in page.text
    assert f"Request id: {page.headers['X-Request-Id']}" in page.text


def test_an_unknown_address_of_the_api_stays_a_problem(person: FlaskClient) -> None:
    assert person.get("/v1/nope", headers={"Accept": "text/html"}).content_type == "application/problem+json"


def test_static_files_may_be_cached_for_ever(person: FlaskClient) -> None:
    style = re.search(r'href="(/static/[^"]+style.css)"', person.get("/about").text)
    assert style is not None
    assert "immutable" in person.get(style.group(1)).headers["Cache-Control"]


def test_an_empty_project_is_unavailable_and_says_what_to_do(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    parts = build_container(Settings(data_dir=tmp_path_factory.mktemp("empty")))
    service = build_service(parts)
    service.refresher.refresh()
    page = create_app(service, WebOptions(1000, parts.settings.reports_dir)).test_client().get("/")
    assert (page.status_code, read_problem_code(page)) == (503, "no_index_version")
    assert "reelrank demo" in page.text
    assert page.headers["Retry-After"] == "1"


def test_a_poster_is_stable_and_coloured_by_its_genre() -> None:
    item = Item("tt1", "Interstellar", genres=("Drama", "Sci-Fi"), people=("Christopher Nolan",))
    assert build_poster(item) == build_poster(item)
    assert "cosmos" in build_poster(item).classes
    unknown = build_poster(Item("x", "Untitled", genres=("Vaudeville",)))
    assert set(unknown.classes.split()) & set(COLOURS)


def test_a_title_is_as_large_as_its_longest_word_and_length_allow() -> None:
    sizes = [
        build_poster(Item("x", title)).classes.split()[-1] for title in ("Up", "Interstellar", "a " * 60)
    ]
    assert sizes == ["size-24", "size-12", "size-8"]


def test_the_letter_behind_a_poster_is_the_first_one_of_its_name() -> None:
    titles = ("The Matrix", "(500) Days of Summer", "Émile", "…")
    assert [build_poster(Item("x", title)).initial for title in titles] == ["M", "5", "É", ""]


def test_the_quality_page_shows_the_last_report_and_its_pictures(
    parts: Container, person: FlaskClient
) -> None:
    assert "There is no evaluation report yet" in person.get("/quality").text
    measured = (MetricResult("all", "lambdarank", "ndcg@10", Interval(0.34, 0.31, 0.36)),)
    reports = parts.settings.reports_dir
    reports.mkdir()
    (reports / "evaluation.json").write_text(
        json.dumps(Evaluation("m1", {"all": 1000}, measured, ()).to_dict())
    )
    (reports / "quality.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720.5 360"/>')
    page = person.get("/quality")
    assert "1,000 requests" in page.text
    assert "0.3400 [0.3100, 0.3600]" in page.text
    assert 'width="720" height="360"' in page.text
    assert "gains.svg" not in page.text
    assert "<source" not in page.text
    (reports / "quality-narrow.svg").write_text('<svg viewBox="0 0 360 900"/>')
    assert 'srcset="/report/quality-narrow.svg" width="360" height="900"' in person.get("/quality").text
    assert person.get("/report/quality-narrow.svg").status_code == 200
    assert person.get("/report/quality.svg").content_type.startswith("image/svg+xml")


@pytest.mark.parametrize("name", ["Zoë", "日本 の 人", 'a;b="c"', "<b>"])
def test_a_viewer_may_have_any_name(person: FlaskClient, name: str) -> None:
    person.post("/viewer", data={"viewer": name})
    assert f"For {name}" in unescape(person.get("/").text)


def test_a_film_with_special_characters_in_its_id_opens_and_is_liked(
    person: FlaskClient, parts: Container
) -> None:
    odd = Item("a/b?c=d&e#f", "Odd", thumbnail="https://pictures.example/odd.jpg")
    parts.engine.upsert([Document(odd)])
    address = f"/film/{quote(odd.id)}"
    page = person.get(address)
    assert '<img src="https://pictures.example/odd.jpg" alt=""' in page.text
    liked = person.post("/like", data={"item": odd.id, "back": address}, follow_redirects=True)
    assert "You liked Odd" in liked.text
    parts.engine.delete([odd.id])
