"""The page that an operator opens in the morning, on a phone: what drifted, earned and came in."""

import pytest
from playwright.sync_api import expect

from tests.browser import Visitors

pytestmark = [pytest.mark.slow, pytest.mark.browser]
PARTS = (
    "Releases", "Decisions of the loop", "Quality by day", "Drift", "Exploration", "Candidate sources",
    "Traffic since the service started", "Events per minute", "Loads and rejected rows", "Index versions",
)  # fmt: skip


def test_the_operator_sees_what_drifted_and_what_each_part_earned(visitors: Visitors) -> None:
    page = visitors.open_page(width=390)
    page.goto("/ops")
    assert page.get_by_role("heading", level=2).all_text_contents() == list(PARTS)
    expect(page.get_by_text("1 of 9 distributions drifted: feature <0>")).to_be_visible()
    row = page.get_by_role("row", name="feature <0>")
    row.scroll_into_view_if_needed()
    picture = row.get_by_role("img", name="feature <0>, before and now")
    expect(picture).to_be_visible()
    heights = picture.locator("rect.now").evaluate_all("bars => bars.map(bar => bar.height.baseVal.value)")
    assert len(heights) == 10
    assert heights[-1] > heights[0]  # it moved up
    expect(page.get_by_role("region", name="Exploration")).to_contain_text("10.0% (5.0% to 20.0%)")
    expect(page.get_by_role("region", name="Candidate sources")).to_contain_text("factors")
    expect(page.get_by_role("region", name="Loads")).to_contain_text("refused: too_many_rejects")
    page.get_by_role("region", name="Releases").get_by_role("link").first.click()
    expect(page.get_by_role("heading", level=2, name="What was decided about it")).to_be_visible()
