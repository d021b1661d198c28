"""Actions on the pages: select a viewer, open films, watch, like, read explanations."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser import Visitors
from tests.journeys.conftest import HOSTILE_TITLE, LONG_TITLE

pytestmark = [pytest.mark.slow, pytest.mark.browser]


def pick_viewer(page: Page, viewer: str) -> None:
    page.goto("/")
    page.get_by_text("Who is watching?").click()
    page.get_by_label("Watch as", exact=True).fill(viewer)
    page.get_by_role("button", name="Go", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"For {viewer}")


def list_titles(page: Page) -> list[str]:
    """Lists the titles of the first list, in its order."""
    return page.locator("main ol").first.locator(".poster .title").all_text_contents()


def test_an_unknown_viewer_sees_films_and_how_to_select_a_viewer(visitors: Visitors) -> None:
    page = visitors.open_page()
    page.goto("/")
    assert len(list_titles(page)) == 24
    expect(page.get_by_text("No viewer is selected")).to_be_visible()
    expect(page.get_by_text("Ranked by first")).to_be_visible()


def test_the_busiest_viewers_are_offered_by_name(visitors: Visitors) -> None:
    page = visitors.open_page()
    page.goto("/")
    page.get_by_text("Who is watching?").click()
    busiest = page.get_by_role("form", name="The busiest viewers").get_by_role("button")
    expect(busiest).to_have_count(12)
    name = busiest.first.inner_text().split()[0]
    busiest.first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"For {name}")


def test_a_selected_viewer_sees_films_of_their_taste_and_history(visitors: Visitors) -> None:
    page = visitors.open_page()
    pick_viewer(page, "u1")
    history = page.get_by_role("region", name="Recently watched")
    watched = history.locator(".poster .title").all_text_contents()
    assert watched
    assert all(title.startswith("Space story") for title in watched)
    expect(history.get_by_text("90 % watched").first).to_be_visible()
    assert not set(watched) & set(list_titles(page))


def test_a_first_watch_changes_the_recommendations_and_is_confirmed(
    visitors: Visitors,
) -> None:
    page = visitors.open_page()
    pick_viewer(page, "newcomer")
    before = list_titles(page)
    page.goto("/film/space3")
    page.get_by_role("button", name="Watch", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("You watched Space story 3")
    expect(page.get_by_role("region", name="Recently watched")).to_contain_text("95 % watched")
    after = list_titles(page)
    assert "Space story 3" not in after
    assert sum(title.startswith("Space") for title in after[:8]) >= 6
    assert after != before
    expect(page.get_by_role("region", name="Recently watched")).to_contain_text("Space story 3")


def test_watching_without_a_name_makes_a_guest_whose_page_remembers(visitors: Visitors) -> None:
    page = visitors.open_page()
    page.goto("/")
    title = list_titles(page)[0]
    page.get_by_role("button", name=f"Watch {title}", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("For guest-"))
    expect(page.get_by_role("status")).to_contain_text(title)
    assert title not in list_titles(page)
    new = re.compile("[1-9][0-9]* of these 24 films are new because")
    expect(page.get_by_role("status")).to_contain_text(new)
    notice = new.search(page.get_by_role("status").inner_text())
    assert notice is not None
    assert page.locator(".fresh").count() == int(notice.group().split()[0])


def test_everything_works_without_javascript(visitors: Visitors) -> None:
    page = visitors.open_page(scripts=False)
    pick_viewer(page, "no-scripts")
    title = list_titles(page)[0]
    page.get_by_role("button", name=f"Watch {title}", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text(title)
    page.get_by_role("link", name=re.compile("^Why")).first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("is number")


def test_a_like_returns_to_the_film_and_is_confirmed(visitors: Visitors) -> None:
    page = visitors.open_page()
    pick_viewer(page, "liker")
    page.goto("/film/sea2")
    page.get_by_role("button", name="Like", exact=True).click()
    expect(page).to_have_url(re.compile("/film/sea2"))
    expect(page.get_by_role("status")).to_contain_text("You liked Sea story 2")


def test_a_dislike_says_what_it_changes_and_is_undone(visitors: Visitors) -> None:
    page = visitors.open_page()
    pick_viewer(page, "disliker")
    title = list_titles(page)[0]
    page.get_by_role("link", name=re.compile(f"^{title}")).first.click()
    page.get_by_role("button", name="Dislike", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text(f"You disliked {title}. It is not recommended again")
    page.get_by_role("link", name="See your films").click()
    expect(page.get_by_role("status")).to_contain_text(f"You disliked {title}")
    assert title not in list_titles(page)
    page.get_by_role("button", name="Undo", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text(f"You took back what you said about {title}")
    assert title in list_titles(page)


def test_a_film_page_shows_details_and_similar_films(visitors: Visitors) -> None:
    page = visitors.open_page()
    page.goto("/film/sea3")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sea story 3")
    expect(page.get_by_text("100 minutes")).to_be_visible()
    similar = page.get_by_role("region", name="Similar films").locator(".poster .title").all_text_contents()
    assert "Sea story 3" not in similar
    assert similar[0].startswith("Sea story")


def test_an_explanation_has_text_a_chart_and_a_table(visitors: Visitors) -> None:
    page = visitors.open_page()
    pick_viewer(page, "u3")
    title = list_titles(page)[4]
    page.get_by_role("link", name=f"Why is {title} here").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Why {title} is number 5")
    assert page.get_by_role("heading", name="What moved it up or down").count() == 1
    assert page.locator("ul.reasons li").count() >= 1
    assert not page.locator("svg rect").first.is_visible()
    page.get_by_text("The technical details").click()
    bars = page.get_by_role("table", name="What each feature added to the score").get_by_role("row")
    assert bars.count() == page.locator("svg rect").count() >= 1
    page.get_by_text("All signals").click()
    signals = page.get_by_role("region", name="Signals").get_by_role("row")
    assert signals.count() > 20


def test_more_films_continue_the_same_list(visitors: Visitors) -> None:
    page = visitors.open_page()
    pick_viewer(page, "u5")
    first = list_titles(page)
    page.get_by_role("link", name="More films").click()
    more = list_titles(page)
    assert more
    assert not set(first) & set(more)


def test_titles_with_markup_are_text_and_ids_may_be_odd(visitors: Visitors) -> None:
    page = visitors.open_page()
    page.goto("/film/odd1")
    expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE_TITLE)
    page.goto("/search?q=longest+words+fit")
    page.get_by_role("link", name=LONG_TITLE, exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(LONG_TITLE)
    page.get_by_role("button", name="Watch", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text(LONG_TITLE)


def test_data_and_licences_are_cited(visitors: Visitors) -> None:
    page = visitors.open_page()
    page.goto("/")
    page.get_by_role("link", name="Data and licences").click()
    expect(page.get_by_role("table")).to_contain_text("MovieLens")
    expect(page.get_by_role("table")).to_contain_text("non-commercial")
