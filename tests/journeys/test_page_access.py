"""Access to the pages: by keyboard, on a phone, in dark mode, by screen reader."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser import Visitors

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.any_engine]
PAGES = (
    "/", "/search?q=story+voyage&year_min=1900", "/film/voyage7", "/quality", "/about", "/ops",
    "/problems", "/problems/invalid_request",
)  # fmt: skip
FAULTS = (Path(__file__).parent / "page_faults.js").read_text()
"""A function that returns the faults of a page in structure, names and contrast."""
MOVING = """[...document.querySelectorAll("*")].map(e => getComputedStyle(e))
  .filter(style => parseFloat(style.transitionDuration) > 0.01 || style.animationName != "none").length"""
PLANTED = """() => {
  document.querySelector("h1").style.color = "#ddd";
  document.querySelector("main").insertAdjacentHTML("beforeend",
    "<h5>x</h5><a href='/'></a><input name=n><img src='data:,'><button class=quiet></button>");
}"""
FOCUSED = """(() => {
  const named = document.activeElement;
  return (named.labels?.[0] ?? named.querySelector(".visually-hidden") ?? named).textContent.trim();
})()"""
"""The accessible name of the focused element, or its visually hidden part."""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_landmarks_names_and_contrast_are_in_order(visitors: Visitors, path: str, dark: bool) -> None:
    page = visitors.open_page(dark=dark)
    page.context.add_cookies([{"name": "viewer", "value": "u1", "url": visitors.url}])
    page.goto(path)
    assert page.evaluate(FAULTS) == []


def test_the_checks_find_planted_faults(visitors: Visitors) -> None:
    page = visitors.open_page()
    page.goto("/about")
    page.evaluate(PLANTED)
    faults = "\n".join(page.evaluate(FAULTS))
    for fault in ("heading h5", "no name: A", "no name: INPUT", "no alt", "no name: BUTTON", "contrast 1."):
        assert fault in faults


@pytest.mark.parametrize("width", [320, 390, 820])
@pytest.mark.parametrize("path", PAGES)
def test_no_page_is_wider_than_a_small_screen(visitors: Visitors, path: str, width: int) -> None:
    page = visitors.open_page(width=width)
    page.context.add_cookies([{"name": "viewer", "value": "u1", "url": visitors.url}])
    page.goto(path)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("path", PAGES)
def test_no_page_is_wider_than_a_small_screen_before_its_fonts_come(visitors: Visitors, path: str) -> None:
    page = visitors.open_page(width=320)
    page.route("**/*.woff2", lambda route: route.fulfill(body=b""))
    page.context.add_cookies([{"name": "viewer", "value": "u1", "url": visitors.url}])
    page.goto(path)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_nothing_moves_while_a_page_appears(visitors: Visitors) -> None:
    page = visitors.open_page(width=390)
    page.add_init_script(
        "window.moved = 0; new PerformanceObserver(l => l.getEntries().forEach(e => window.moved += e.value))"
        ".observe({type: 'layout-shift', buffered: true})"
    )
    page.goto("/", wait_until="networkidle")
    assert page.evaluate("window.moved") == 0


def test_the_first_tab_offers_to_skip_to_the_films(visitors: Visitors) -> None:
    page = visitors.open_page()
    page.goto("/")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name=re.compile("^Skip"))
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.querySelector('main').contains(document.activeElement)")


def test_a_film_is_searched_opened_and_watched_by_keyboard_alone(visitors: Visitors) -> None:
    page = visitors.open_page()
    page.goto("/")

    def tab_to(name: str) -> None:
        """Presses Tab until an element whose name begins with `name` has the focus."""
        for _ in range(60):
            page.keyboard.press("Tab")
            if page.evaluate(FOCUSED).startswith(name):
                outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
                assert outline != "none", f"{name}: the focus cannot be seen"
                return
        raise AssertionError(f"no tab reaches {name!r}")

    tab_to("Search films")
    page.keyboard.type("voyage")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search**")
    tab_to("Voyage")
    page.keyboard.press("Enter")
    page.wait_for_url("**/film/voyage**")
    tab_to("Watch")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("You watched Voyage")


def test_motion_is_reduced_on_request(visitors: Visitors) -> None:
    page = visitors.open_page()
    page.emulate_media(reduced_motion="reduce")
    page.goto("/")
    moving = page.evaluate(MOVING)
    assert moving == 0
