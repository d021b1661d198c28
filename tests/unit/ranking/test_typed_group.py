"""A decade, or a genre and a year, chooses items by their year; a genre and a language name their items."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelrank.index_mappings.encoder import WordLlamaEncoder
from reelrank.index_mappings.item import Document, Item
from reelrank.index_mappings.query import NO_FILTERS, Filters, Query
from reelrank.ranking.items.spelling.typed_group import (
    DECADE_WORDS,
    TypedGroup,
    TypedYears,
    find_group,
    find_years,
)
from reelrank.ranking.items.table import ItemTable, build_table
from reelrank.ranking.viewers.history import build_viewer
from reelrank.ranking.viewers.query_vectors import build_request
from reelrank.ranking.viewers.request import RankingRequest

GENRES = ("Horror", "Comedy", "Sci-Fi", "War")
YEARS = np.arange(1900, 2030, dtype=np.int16)


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("horror 80s", TypedYears("horror", "80s", 1980, 1989)),
        ("80's HORROR", TypedYears("horror", "80s", 1980, 1989)),
        ("horror from the nineties", TypedYears("horror", "nineties", 1990, 1999)),
        ("comedies 1970s", TypedYears("comedies", "1970s", 1970, 1979)),
        ("sci fi 00s", TypedYears("sci fi", "00s", 2000, 2009)),
        ("sci-fi 1982", TypedYears("sci fi", "1982", 1982, 1982)),
        ("hanks 90s", TypedYears("hanks", "90s", 1990, 1999)),
        ("space odyssey 2001", None),
        ("hanks 1994", None),
        ("80s", None),
        ("the 80s", None),
        ("horror 80s 90s", None),
        ("horror 2080s", None),
        ("", None),
    ],
)
def test_years_are_read_beside_other_words(typed: str, found: TypedYears | None) -> None:
    assert find_years(typed, GENRES, YEARS) == found


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("French comedies", TypedGroup("Comedy", "French")),
        ("comedy in french", TypedGroup("Comedy", "French")),
        ("american sign language horror", TypedGroup("Horror", "American Sign Language")),
        ("sci fi", TypedGroup("Sci-Fi")),
        ("french", None),
        ("french french comedy", None),
        ("french horror comedy", None),
        ("french kiss", None),
        ("", None),
    ],
)
def test_a_group_is_read_from_all_words(typed: str, found: TypedGroup | None) -> None:
    assert find_group(typed, GENRES, ("English", "French", "American Sign Language")) == found


@given(st.text(max_size=30))
def test_a_text_without_a_decade_or_a_year_has_none(text: str) -> None:
    letters = "".join(letter for letter in text if not letter.isnumeric())
    assert find_years(f"war {letters}", GENRES, YEARS) is None or any(
        word in letters.casefold() for word in DECADE_WORDS
    )


@given(st.integers(190, 202), st.sampled_from(["{}0s", "{}0\u2019s"]), st.booleans())
def test_every_way_to_write_a_decade_gives_its_ten_years(decade: int, form: str, is_short: bool) -> None:
    written = form.format(decade)[2 * is_short :]
    found = find_years(f"war {written}", GENRES, YEARS)
    assert found is not None
    assert found.last - found.first == 9
    assert found.first % 100 == decade % 10 * 10


FILMS = (
    ("The Shining", 1980, ("Horror",), ()),
    ("Scream", 1996, ("Horror",), ()),
    ("Big", 1988, ("Comedy",), ("Tom Hanks",)),
    ("Apollo 13", 1995, ("Drama",), ("Tom Hanks",)),
    ("That 80s Show", 2002, ("Comedy",), ()),
)
LANGUAGES = ("French", "English")


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> ItemTable:
    items = [
        Item(
            f"f{n}",
            title,
            genres=genres,
            people=people,
            languages=LANGUAGES[n % 2 :],
            published_at=datetime(year, 1, 1, tzinfo=UTC),
        )
        for n, (title, year, genres, people) in enumerate(FILMS)
    ]
    documents = [Document(item) for item in items]
    return build_table(tmp_path_factory.mktemp("table") / "table", "items-1", [documents], None)


def read(table: ItemTable, text: str, filters: Filters = NO_FILTERS) -> RankingRequest:
    return build_request(Query(text, filters=filters), build_viewer("u", (), 0), table, WordLlamaEncoder())


def test_a_genre_and_a_decade_name_the_films_of_both(table: ItemTable) -> None:
    request = read(table, "horror 80s")
    assert request.typed is not None
    assert request.typed.people.rows.tolist() == [0, 1]
    assert request.query.filters.year_max == 1989, "which leaves the first of them"
    assert (request.search_text, request.typed.spelling) == ("horror", "horror 80s")
    assert (request.query.filters.year_min, request.query.filters.year_max) == (1980, 1989)


def test_a_person_and_a_decade_are_read_apart_and_corrected(table: ItemTable) -> None:
    request = read(table, "hankz 90s")
    assert request.typed is not None
    assert request.typed.people.namesakes.rows.tolist() == [2, 3]
    assert request.typed.spelling == "hanks 90s"
    assert request.query.filters.year_min == 1990


@pytest.mark.parametrize("text", ["that 80s show", "that 80s", "scream 1996", "horror"])
def test_a_text_that_names_a_title_or_no_years_is_not_narrowed(table: ItemTable, text: str) -> None:
    assert read(table, text).query.filters.is_empty


def test_chosen_years_go_before_typed_ones(table: ItemTable) -> None:
    assert read(table, "horror 80s", Filters(year_min=1990)).query.filters == Filters(year_min=1990)


def test_a_part_of_a_title_before_a_year_names_the_film_of_that_year(table: ItemTable) -> None:
    for text, rows in (("show 2002", [4]), ("80s show 2002", [4]), ("13 1995", []), ("show 2001", [])):
        typed = read(table, text).typed
        assert typed is not None
        assert typed.beginnings.tolist() == rows, text


def test_a_genre_in_a_language_names_its_films_and_filters_nothing(table: ItemTable) -> None:
    request = read(table, "french comedies")
    assert request.typed is not None
    assert request.typed.people.rows.tolist() == [2, 4]
    assert request.query.filters.is_empty
    assert (request.search_text, request.typed.spelling) == ("french comedies", "french comedies")
