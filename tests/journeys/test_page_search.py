"""Search on the page: text, facets, removable filters, more films, and no hits."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser import Visitors

pytestmark = [pytest.mark.slow, pytest.mark.browser]


def search(page: Page, text: str) -> None:
    page.goto("/")
    page.get_by_label("Search films").fill(text)
    page.get_by_label("Search films").press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text(text)


def list_titles(page: Page) -> list[str]:
    return page.locator("main ol").first.locator(".poster .title").all_text_contents()


def read_count(page: Page) -> int:
    text = page.get_by_text(re.compile(r"films? found")).inner_text()
    return int(re.sub(r"\D", "", text.split("film")[0]))


def test_a_search_finds_by_text_and_keeps_it_in_the_box(visitors: Visitors) -> None:
    page = visitors.open_page()
    search(page, "voyage 17")
    assert "Voyage 17" in list_titles(page)
    expect(page.get_by_label("Search films")).to_have_value("voyage 17")


def test_a_facet_narrows_to_its_count_and_its_chip_removes_it(visitors: Visitors) -> None:
    page = visitors.open_page()
    search(page, "voyage")
    before = read_count(page)
    facet = page.get_by_role("complementary", name="Filters").get_by_role("link", name=re.compile("^Horror"))
    promised = int(re.sub(r"\D", "", facet.inner_text()))
    facet.click()
    assert read_count(page) == promised < before
    page.get_by_role("link", name="Remove filter Horror").click()
    assert read_count(page) == before


def test_filters_of_several_kinds_add_up(visitors: Visitors) -> None:
    page = visitors.open_page()
    search(page, "voyage")
    narrow = page.get_by_role("complementary", name="Filters")
    narrow.get_by_text("Decade", exact=True).click()
    narrow.get_by_role("link", name=re.compile("^1970s")).click()
    narrow.get_by_text("Language", exact=True).click()
    narrow.get_by_role("link", name=re.compile("^French")).click()
    assert sorted(list_titles(page)) == [f"Voyage {n}" for n in (21, 23, 25, 27, 29)]


def test_years_and_length_are_typed_and_stay_in_the_form(visitors: Visitors) -> None:
    page = visitors.open_page()
    search(page, "voyage")
    page.get_by_text("Years and length", exact=True).click()
    page.get_by_label("From year").fill("1955")
    page.get_by_label("Length").select_option(label="up to 90 minutes")
    page.get_by_role("button", name="Apply").click()
    assert sorted(list_titles(page)) == ["Voyage 5", "Voyage 6", "Voyage 7"]
    expect(page.get_by_label("From year")).to_have_value("1955")


def test_more_films_show_all_matches_then_similar_films_and_repeat_nothing(visitors: Visitors) -> None:
    page = visitors.open_page()
    search(page, "voyage")
    shown = page.locator("main ol .poster .title")
    titles = shown.all_text_contents()
    total = read_count(page)
    while (more := page.get_by_role("link", name="More films")).count():
        more.click()
        page.wait_for_load_state()
        titles += shown.all_text_contents()
    assert len(titles) == len(set(titles)) > total == 40
    assert all(title.startswith("Voyage") for title in titles[:total])
    assert not any(title.startswith("Voyage") for title in titles[total:])


def test_a_search_without_hits_suggests_what_to_try(visitors: Visitors) -> None:
    page = visitors.open_page()
    page.goto("/search?q=voyage&year_min=2150")
    expect(page.get_by_role("heading", name="No films found")).to_be_visible()
    page.get_by_role("link", name="Search without filters").click()
    expect(page.locator("main ol .poster .title").first).to_be_visible()
    assert all("Voyage" in title for title in list_titles(page)[:3])
