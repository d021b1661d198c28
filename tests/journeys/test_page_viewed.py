"""What the pages report of the cards that were on the screen, in a real browser."""

from typing import Any
from urllib.parse import parse_qs

import pytest
from playwright.sync_api import Page, Request, Response, expect

from tests.browser import Visitors
from tests.journeys.test_page_films import pick_viewer

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.any_engine]

PHONE = 400
SETTLED_MS = 4000
"""A second on the screen, two until the batch is sent, and time for a busy machine."""


class Reports:
    """The `viewed` events that a page sends, and what the service answered."""

    def __init__(self, page: Page) -> None:
        self.events: list[dict[str, Any]] = []
        self.requests: list[Request] = []
        self.statuses: list[int] = []
        page.on("request", self._record)
        page.on("response", self._record_answer)

    def _record(self, request: Request) -> None:
        if request.url.endswith("/viewed"):
            self.requests.append(request)
            for line in parse_qs(request.post_data or "")["seen"][0].splitlines():
                request_id, position, item = line.split(" ")
                self.events.append({"request_id": request_id, "position": int(position), "item": item})

    def _record_answer(self, response: Response) -> None:
        if response.url.endswith("/viewed"):
            self.statuses.append(response.status)

    @property
    def positions(self) -> list[int]:
        return sorted(event["position"] for event in self.events)


def open_list(visitors: Visitors, viewer: str, width: int = 1280) -> tuple[Page, Reports]:
    """Opens the home page of a viewer; returns the reports of that page only."""
    page = visitors.open_page(width=width)
    pick_viewer(page, viewer)
    reports = Reports(page)
    page.reload()
    return page, reports


def find_cards(page: Page, is_inside: bool) -> list[int]:
    """Finds the positions of the first list's cards that are half on the screen or more, or are not."""
    inside: list[int] = page.evaluate(
        """wanted => [...document.querySelectorAll("main ol")[0].children].filter(card => {
            const { top, bottom, height } = card.getBoundingClientRect();
            const shown = Math.min(bottom, innerHeight) - Math.max(top, 0);
            return (shown >= height / 2) === wanted;
        }).map(card => Number(card.dataset.position))""",
        is_inside,
    )
    return inside


def test_cards_on_the_screen_are_reported_and_others_are_not(visitors: Visitors) -> None:
    page, reports = open_list(visitors, "u1", PHONE)
    shown, hidden = find_cards(page, True), find_cards(page, False)
    page.wait_for_timeout(SETTLED_MS)
    assert reports.positions == shown
    assert len(hidden) > 10
    request_id = page.locator("main ol").first.get_attribute("data-request")
    first = min(reports.events, key=lambda event: event["position"])
    assert first["item"] == page.locator("main ol").first.locator("li").first.get_attribute("data-item")
    assert {event["request_id"] for event in reports.events} == {request_id}
    assert reports.statuses == [204] * len(reports.requests)


def test_a_scroll_adds_the_cards_it_shows_and_repeats_none(visitors: Visitors) -> None:
    page, reports = open_list(visitors, "u2", PHONE)
    before = find_cards(page, True)
    page.wait_for_timeout(SETTLED_MS)
    page.evaluate("document.querySelectorAll('main ol')[0].children[8].scrollIntoView({ block: 'center' })")
    after = find_cards(page, True)
    page.wait_for_timeout(SETTLED_MS)
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_timeout(SETTLED_MS)
    assert 8 in after
    assert reports.positions == sorted({*before, *after})


def test_a_card_that_passes_by_in_less_than_a_second_is_not_reported(visitors: Visitors) -> None:
    page, reports = open_list(visitors, "u3", PHONE)
    page.evaluate("""async () => {
        const cards = document.querySelectorAll("main ol")[0].children;
        cards[10].scrollIntoView({ block: "center" });
        await new Promise(resolve => setTimeout(resolve, 200));
        scrollTo(0, 0);
    }""")
    page.wait_for_timeout(SETTLED_MS)
    assert reports.positions
    assert 10 not in reports.positions


def test_a_report_that_fails_is_sent_again_with_the_same_ids(visitors: Visitors) -> None:
    page, reports = open_list(visitors, "u5", PHONE)
    page.route("**/viewed", lambda route: route.fulfill(status=503, body="{}"), times=1)
    page.wait_for_timeout(SETTLED_MS + 2000)
    visitors.problems.clear()  # the browser reports the 503 on its console
    assert len(reports.requests) == 2
    positions = set(reports.positions)
    assert reports.positions == sorted([*positions] * 2)


def test_leaving_the_page_sends_what_waits(visitors: Visitors) -> None:
    page, reports = open_list(visitors, "u6", PHONE)
    page.evaluate("""() => {
        navigator.sendBeacon = (url, body) => {
            sessionStorage.left = url + " " + body;
            return true;
        };
    }""")
    page.wait_for_timeout(1500)
    page.evaluate("dispatchEvent(new Event('pagehide'))")
    page.wait_for_timeout(200)
    sent: str = page.evaluate("sessionStorage.left || ''")
    assert sent.startswith("/viewed csrf_token=")
    assert "&seen=" in sent
    assert reports.events == []


def test_a_page_of_nobody_or_without_scripts_reports_nothing(visitors: Visitors) -> None:
    page = visitors.open_page()
    reports = Reports(page)
    page.goto("/")
    plain = visitors.open_page(scripts=False)
    pick_viewer(plain, "u7")
    plain_reports = Reports(plain)
    plain.reload()
    page.wait_for_timeout(SETTLED_MS)
    assert reports.requests == plain_reports.requests == []


def test_searches_and_similar_films_are_reported_with_their_own_list(visitors: Visitors) -> None:
    page, reports = open_list(visitors, "u8")
    page.goto("/film/voyage3")
    expect(page.get_by_role("region", name="Similar films")).to_be_visible()
    shown = page.locator("section[aria-labelledby=similar] ol")
    shown.scroll_into_view_if_needed()
    page.wait_for_timeout(SETTLED_MS)
    request_id = shown.get_attribute("data-request")
    assert any(event["request_id"] == request_id for event in reports.events)
    page.goto("/search?q=voyage")
    page.wait_for_timeout(SETTLED_MS)
    request_id = page.locator("main ol").first.get_attribute("data-request")
    assert any(event["request_id"] == request_id for event in reports.events)
