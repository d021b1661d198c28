"""Highlights: what was typed is marked in the texts of a hit, on the borders of words."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reelrank.app.search.lexical.highlighting import (
    MAX_DESCRIPTION,
    SNIPPET,
    highlight_item,
    read_searched_words,
)
from reelrank.app.search.lexical.tokens import split_tokens
from reelrank.index_mappings.item import Item


def mark(item: Item, *texts: str) -> dict[str, list[str]]:
    """Returns the fragments of an item with their matches in brackets."""
    highlight = highlight_item(item, read_searched_words(texts))
    marked: dict[str, list[str]] = {}
    for field, fragments in highlight.items():
        for fragment in fragments:
            text = fragment.text
            for start, end in reversed(fragment.ranges):
                text = f"{text[:start]}[{text[start:end]}]{text[end:]}"
            marked.setdefault(field, []).append(text)
    return marked


@pytest.mark.parametrize(
    ("title", "texts", "marked"),
    [
        ("The Matrix", ("MATRIX",), "[The Matrix]"),
        ("The Matrix", ("the matrix",), "[The Matrix]"),
        ("The Matrix Reloaded", ("the matrix",), "[The] [Matrix] Reloaded"),
        ("The Godfather", ("godfahter", "godfather"), "[The Godfather]"),
        ("The Godfather: Part II", ("godfather 2",), "[The Godfather: Part II]"),
        ("Rocky II, the Story", ("story of rocky 2",), "[Rocky] [II], the [Story]"),
        ("Amélie", ("AMELIE",), "[Amélie]"),
        ("Ame\u0301lie et moi", ("amélie",), "[Ame\u0301lie] et moi"),
        ("Spider-Man 2", ("spiderman",), "[Spider]-[Man] 2"),
        ("Spiderman Begins", ("spider man",), "[Spiderman] Begins"),
        ("S.W.A.T. Returns", ("swat",), "[S].[W].[A].[T]. Returns"),
        ("Ocean\u2019s Eleven", ("oceans eleven",), "[Ocean\u2019s Eleven]"),
        ("Running Stories", ("story run",), "[Running] [Stories]"),
        ("Two Movies, One Boy", ("movie boys",), "Two [Movies], One [Boy]"),
        ("Loved by Many", ("loving",), "[Loved] by Many"),
        ("Space Oddity", ("space odd",), "[Space] [Oddity]"),
        ("Oddity in Space", ("odd",), "[Oddity] in Space"),
        ("They", ("they",), "[They]"),
        ("A Bug's Life", ("life",), "A Bug's [Life]"),
        ("<b>War</b>", ("war",), "<b>[War]</b>"),
    ],
)  # fmt: skip
def test_a_title_is_marked_however_it_was_typed(title: str, texts: tuple[str, ...], marked: str) -> None:
    assert mark(Item("x", title), *texts) == {"title": [marked]}


def test_only_people_who_match_are_listed() -> None:
    item = Item("x", "Speed", people=("Keanu Reeves", "Sandra Bullock"))
    assert mark(item, "keanu") == {"people": ["[Keanu] Reeves"]}
    assert mark(item, "bul lock") == {"people": ["Sandra [Bullock]"]}
    assert mark(item, "stories") == {}


def test_a_snippet_shows_the_part_with_the_most_words() -> None:
    description = (
        "A whale swims. "
        + "Nothing happens for long. " * 20
        + "A white whale meets its captain at sea. The end."
    )
    (fragment,) = highlight_item(
        Item("x", "Moby", description=description), read_searched_words(("white whale captain",))
    )["description"]
    assert len(fragment.ranges) == 3
    assert len(fragment.text) <= SNIPPET
    assert description[fragment.start :].startswith(fragment.text)


def test_words_that_were_searched_beside_the_typed_ones_are_marked() -> None:
    searched = read_searched_words(("film noir",), ("movie",))
    highlight = highlight_item(Item("x", "Noir Movies"), searched)
    assert highlight["title"][0].ranges == ((0, 4), (5, 11))


def test_what_only_resembles_the_words_is_not_marked() -> None:
    assert mark(Item("x", "Thermal Notes", description="Theirs."), "the matrix") == {}


WORDS = st.sampled_from(
    ["the", "Spider-Man", "amélie", "l\u2019été", "WALL·E", "七人", "a\u0301b", "\u00adx\u00ad", "II", "o'"]
)
TEXTS = st.one_of(st.text(max_size=40), st.lists(WORDS, max_size=8).map(" ".join))


@settings(deadline=None)
@given(TEXTS, st.lists(TEXTS, max_size=3), TEXTS, TEXTS)
def test_ranges_are_inside_the_text_and_on_the_borders_of_words(
    title: str, people: list[str], description: str, query: str
) -> None:
    item = Item("x", title, description=description * 30, people=tuple(people))
    fields = {"title": [title], "people": people, "description": [item.description]}
    for field, fragments in highlight_item(item, read_searched_words((query, query.upper()))).items():
        for fragment in fragments:
            end = fragment.start + len(fragment.text)
            whole = next(text for text in fields[field] if text[fragment.start : end] == fragment.text)
            tokens = split_tokens(whole)
            starts, ends = {token.start for token in tokens}, {token.end for token in tokens}
            assert fragment.ranges
            last = 0
            for first, after in fragment.ranges:
                assert last <= first < after <= len(fragment.text)
                assert first + fragment.start in starts
                assert after + fragment.start in ends
                last = after


@settings(deadline=None)
@given(st.text(min_size=1, max_size=60))
def test_a_title_typed_whole_is_marked_whole(title: str) -> None:
    highlight = highlight_item(Item("x", title), read_searched_words((title,)))
    tokens = split_tokens(title)
    if tokens:
        assert highlight["title"][0].ranges == ((tokens[0].start, tokens[-1].end),)
    else:
        assert highlight == {}


def test_a_long_description_costs_no_more_than_its_beginning() -> None:
    item = Item("x", "y", description="word " * MAX_DESCRIPTION + "needle")
    assert mark(item, "needle") == {}
    assert mark(Item("x", "y", description="needle " + "word " * MAX_DESCRIPTION), "needle")
