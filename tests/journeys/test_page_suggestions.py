"""Suggestions under the search box, by keyboard, pointer and screen reader; searches that miss."""

import re

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser import Visitors
from tests.journeys.test_page_access import FAULTS

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.any_engine]


def open_box(visitors: Visitors, path: str = "/") -> tuple[Page, Locator]:
    page = visitors.open_page()
    page.goto(path)
    return page, page.get_by_role("combobox", name="Search films")


def get_options(page: Page) -> Locator:
    return page.get_by_role("listbox", name="Suggestions").get_by_role("option")


def test_titles_appear_while_they_are_typed_and_enter_searches_one(visitors: Visitors) -> None:
    page, box = open_box(visitors)
    expect(box).to_have_attribute("aria-expanded", "false")
    box.press_sequentially("voyage 1")
    expect(get_options(page)).to_have_count(8)
    expect(box).to_have_attribute("aria-expanded", "true")
    box.press("ArrowDown")
    box.press("ArrowDown")
    second = get_options(page).nth(1)
    expect(second).to_have_attribute("aria-selected", "true")
    expect(box).to_have_attribute("aria-activedescendant", second.get_attribute("id") or "")
    text = second.get_attribute("data-text") or ""
    box.press("Enter")
    expect(page).to_have_url(re.compile("/search"))
    expect(page.get_by_role("heading", level=1)).to_have_text(f"“{text}”")


def test_arrows_go_round_and_escape_closes_but_keeps_the_text(visitors: Visitors) -> None:
    page, box = open_box(visitors)
    box.press_sequentially("ada")
    expect(get_options(page)).to_have_count(5)
    box.press("ArrowUp")
    expect(get_options(page).last).to_have_attribute("aria-selected", "true")
    box.press("ArrowDown")
    expect(get_options(page).first).to_have_attribute("aria-selected", "true")
    box.press("Escape")
    expect(get_options(page)).to_have_count(0)
    expect(box).to_have_value("ada")
    expect(box).not_to_have_attribute("aria-activedescendant", re.compile("."))
    box.press("ArrowDown")
    expect(get_options(page)).to_have_count(5)
    expect(get_options(page).first).to_contain_text("8 films")


def test_enter_without_a_choice_searches_the_typed_text(visitors: Visitors) -> None:
    page, box = open_box(visitors)
    box.press_sequentially("voy")
    expect(get_options(page)).to_have_count(8)
    box.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("“voy”")


def test_a_suggestion_is_chosen_by_pointer_and_leaving_the_box_closes(visitors: Visitors) -> None:
    page, box = open_box(visitors)
    box.press_sequentially("ada director 3")
    expect(get_options(page)).to_have_count(1)
    box.blur()
    expect(get_options(page)).to_have_count(0)
    box.focus()
    box.press("ArrowDown")
    get_options(page).first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("“Ada Director 3”")
    expect(page.locator(".matched mark", has_text="Ada Director 3")).to_have_count(8)


def test_a_screen_reader_hears_how_many_there_are(visitors: Visitors) -> None:
    page, box = open_box(visitors)
    spoken = page.locator("form.find [aria-live=polite]")
    box.press_sequentially("ada director 3")
    expect(spoken).to_have_text("1 suggestion")
    box.press_sequentially(" zzzz")
    expect(spoken).to_have_text("No suggestions")
    expect(box).to_have_attribute("aria-expanded", "false")


def test_a_stale_answer_is_dropped_and_typing_asks_once(visitors: Visitors) -> None:
    page, box = open_box(visitors)
    asked: list[str] = []

    def delay_first(route: Route) -> None:
        asked.append(route.request.url)
        if "q=voyage&" in route.request.url:
            page.wait_for_timeout(400)
        route.continue_()

    page.route("**/v1/suggest**", delay_first)
    box.press_sequentially("voyage", delay=10)
    page.wait_for_timeout(200)
    box.fill("sea story")
    expect(get_options(page).first).to_contain_text("Sea story")
    page.wait_for_timeout(600)
    expect(get_options(page).first).to_contain_text("Sea story")
    assert len(asked) == 2


def test_titles_with_markup_are_suggested_as_text(visitors: Visitors) -> None:
    page, box = open_box(visitors)
    box.press_sequentially("script alert")
    expect(get_options(page).first).to_contain_text("<script>alert('x')</script>")


def test_a_service_that_does_not_suggest_leaves_the_search_alone(visitors: Visitors) -> None:
    page, box = open_box(visitors)
    page.route("**/v1/suggest**", lambda route: route.fulfill(status=503, body="{}"))
    box.press_sequentially("voyage 17")
    page.wait_for_timeout(300)
    expect(get_options(page)).to_have_count(0)
    visitors.problems.clear()  # the browser reports the 503 on its console
    box.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("“voyage 17”")


def test_without_scripts_the_box_is_a_plain_search(visitors: Visitors) -> None:
    page = visitors.open_page(scripts=False)
    page.goto("/")
    expect(page.get_by_role("combobox")).to_have_count(0)
    page.get_by_role("searchbox", name="Search films").fill("voyage 17")
    page.get_by_role("searchbox", name="Search films").press("Enter")
    expect(page.locator(".poster .title mark").first).to_have_text("Voyage 17")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("path", ["/search?q=zzzzqqq", "/search?q=ocean", "/search?q=voyaeg+17"])
def test_pages_of_searches_that_miss_are_in_order(visitors: Visitors, path: str, dark: bool) -> None:
    page = visitors.open_page(dark=dark)
    page.goto(path)
    assert page.evaluate(FAULTS) == []
    box = page.get_by_role("combobox", name="Search films")
    box.fill("voyage")
    expect(get_options(page)).to_have_count(8)
    box.press("ArrowDown")
    assert page.evaluate(FAULTS) == []


def test_gibberish_says_so_and_offers_popular_films(visitors: Visitors) -> None:
    page = visitors.open_page()
    page.goto("/search?q=zzzzqqq")
    expect(page.get_by_role("heading", name="No films found")).to_be_visible()
    offered = page.get_by_role("list", name="Popular films").get_by_role("link")
    expect(offered).to_have_count(5)
    title = offered.first.inner_text()
    offered.first.click()
    expect(page.locator("main ol").first.locator(".poster .title").first).to_have_text(title)


def test_a_corrected_search_names_what_it_searched(visitors: Visitors) -> None:
    page = visitors.open_page()
    page.goto("/search?q=voyaeg+17")
    expect(page.get_by_text("These are the films for")).to_contain_text("Voyage 17")
    expect(page.locator("main ol").first.locator(".poster .title").first).to_have_text("Voyage 17")


def test_suggestions_fit_a_phone(visitors: Visitors) -> None:
    page = visitors.open_page(width=320)
    page.goto("/")
    page.get_by_role("combobox", name="Search films").press_sequentially("donau")
    expect(get_options(page)).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
