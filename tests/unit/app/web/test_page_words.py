"""What the pages say to people who know nothing of the service: plain, short and true sentences."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient

from reelrank.app.clock import to_ms
from reelrank.app.search.service import SearchService
from reelrank.app.web.application import WebOptions, create_app
from reelrank.app.wiring import Container, warm_service
from reelrank.index_mappings.errors import Degradation
from reelrank.index_mappings.event import Event
from tests.page_client import open_pages
from tests.sample_project import build_project

LATE = "Part of this page could not be computed"


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Container:
    return build_project(tmp_path_factory.mktemp("data"), datetime.now(UTC))


@pytest.fixture(scope="module")
def service(parts: Container) -> SearchService:
    return warm_service(parts)


@pytest.fixture
def person(service: SearchService, parts: Container) -> FlaskClient:
    return open_pages(create_app(service, WebOptions(1_000_000, parts.settings.reports_dir)))


def watch(parts: Container, user: str, items: list[str], kind: str = "watch") -> None:
    """Stores one event an item, a minute apart, the last one now."""
    now = to_ms(datetime.now(UTC) - timedelta(minutes=len(items)))
    parts.events.append(
        [
            Event(f"{user}-{kind}-{n}", kind, user, now + 60_000 * n, item, 5_400_000, 6_000_000)  # type: ignore[arg-type]
            for n, item in enumerate(items)
        ]
    )


@pytest.mark.parametrize("address", ["/", "/search?q=sea", "/film/sea3"])
def test_a_page_without_a_model_says_so_and_not_to_load_it_again(person: FlaskClient, address: str) -> None:
    page = person.get(address).text
    assert "No trained model is in use, so the search engine alone orders the films." in page
    assert LATE not in page


def test_a_page_that_lacks_something_says_what_beside_the_missing_model(
    service: SearchService, person: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = Degradation("recent", "timeout", "no answer in time")
    state = replace(service.refresher.state, degraded=(*service.refresher.state.degraded, late))
    monkeypatch.setattr(service.refresher, "_state", state, raising=False)
    page = person.get("/").text
    assert LATE in page
    assert "Ranked by engine-order: recent: no answer in time." in page


def test_a_film_that_is_watched_again_comes_first_in_the_history(
    parts: Container, person: FlaskClient
) -> None:
    watch(parts, "rewatcher", ["sea1", "space2", "sea3", "sea1"])
    person.post("/viewer", data={"viewer": "rewatcher"})
    history = person.get("/").text.split('id="history"')[1]
    assert re.findall(r'<a href="/film/([^"?]+)">', history) == ["sea1", "sea3", "space2"]


@pytest.mark.parametrize(("kind", "said"), [("like", "Because you liked"), ("watch", "Because you watched")])
def test_a_row_says_whether_its_film_was_watched_or_liked(
    parts: Container, person: FlaskClient, kind: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reelrank.app.web.pages.site.PAGE_ITEMS", 2)
    watch(parts, f"fan-{kind}", ["sea2"], kind)
    person.post("/viewer", data={"viewer": f"fan-{kind}"})
    assert f'{said} <a href="/film/sea2">' in person.get("/").text


def test_a_text_that_is_too_long_is_answered_in_one_short_sentence(person: FlaskClient) -> None:
    page = person.get(f"/search?q={'xyz ' * 300}")
    assert page.status_code == 400
    (sentence,) = re.findall('<p role="alert">(.*?)</p>', page.text)
    assert sentence == "The search text: it has 1,200 characters; give at most 400"
    assert "xyz" not in page.text


def test_a_wrong_value_is_repeated_in_part(person: FlaskClient) -> None:
    page = person.get(f"/search?q=sea&year_min={'9' * 100}x").text
    (sentence,) = re.findall('<p role="alert">(.*?)</p>', page)
    assert sentence.startswith("The first year: ")
    assert "and 61 more characters" in sentence
    assert "9" * 41 not in sentence


def test_the_why_of_a_films_row_names_the_row_and_no_number_of_another_list(
    parts: Container, person: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reelrank.app.web.pages.site.PAGE_ITEMS", 2)
    watch(parts, "row-reader", ["sea4"])
    person.post("/viewer", data={"viewer": "row-reader"})
    home = person.get("/").text
    headings = {"because": "is among the films like “Sea story 4”", "popular": "is in “Popular now”"}
    for row, heading in headings.items():
        (address, *_) = re.findall(rf'href="(/why/[^"]+[?]row={row})"', home)
        page = person.get(address).text
        assert re.search(rf"<h1.*</a> {heading}</h1>", page)
        assert "what you typed" not in page
    (film, *_) = re.findall(r'href="(/film/[^"]+row=popular)"', home)
    assert "?row=popular" in person.get(film.replace("&amp;", "&")).text


def test_the_why_of_a_similar_film_names_the_film_that_it_is_like(person: FlaskClient) -> None:
    (address, *_) = re.findall(r'href="(/why/[^"]+)"', person.get("/film/sea3").text)
    page = person.get(address).text
    assert re.search("is number 1 of the films like “Sea story 3”</h1>", page)
    assert "“Sea story 3”." in page.split("How it came up")[1]
