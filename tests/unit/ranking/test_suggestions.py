"""Suggestions: names that begin as typed, one typo away when nothing does, the most watched first."""

import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from reelrank.index_mappings.item import Item
from reelrank.index_mappings.text import fold_text
from reelrank.ranking.items.names.name_index import SORTED_BYTES, NameIndex, build_names
from reelrank.ranking.items.names.suggestion_builder import SuggestionBuilder, assemble_suggestions
from reelrank.ranking.items.names.suggestion_index import SuggestionIndex
from reelrank.ranking.items.title_index import TitleIndex, TitleIndexBuilder
from reelrank.ranking.items.title_keys import compact_title, split_words

TITLES = (
    "The Matrix", "Matilda", "The Godfather", "The Godfather: Part II", "Spider-Man", "WALL·E", "Amélie",
    "Her", "Hercules", "Hero", "...", "七人の侍", "x" * 50 + " end", "x" * 50 + " other",
)  # fmt: skip
PEOPLE = ("Keanu Reeves", "Keanu Reeves", "Zoë Kravitz")
WATCHES = np.array([9, 8, 7, 6, 5, 4, 3, 0, 2, 99, 1, 1, 1, 1], np.float64)


def count_watches(rows: NDArray[np.intp]) -> NDArray[np.float64]:
    return WATCHES[rows]


def build_index(titles: tuple[str, ...] = TITLES) -> SuggestionIndex:
    items = [Item(f"{n:03}", title, people=PEOPLE[n : n + 1]) for n, title in enumerate(titles)]
    suggestions, credits = SuggestionBuilder(), TitleIndexBuilder()
    suggestions.add(items)
    credits.add(items)
    order = np.arange(len(items))
    return assemble_suggestions(suggestions.build(order), TitleIndex(**credits.build(order)))


INDEX = build_index()


def find_titles(text: str, limit: int = 5) -> list[str]:
    return [TITLES[row] for row in INDEX.find(text, limit, count_watches).titles.tolist()]


@pytest.mark.parametrize(
    ("typed", "titles"),
    [
        ("mat", ["The Matrix", "Matilda"]),
        ("THE MAT", ["The Matrix"]),
        ("matirx", ["The Matrix"]),
        ("godfahter", ["The Godfather", "The Godfather: Part II"]),
        ("the godfather p", ["The Godfather: Part II"]),
        ("spiderm", ["Spider-Man"]),
        ("spider m", ["Spider-Man"]),
        ("wall-e", ["WALL·E"]),
        (unicodedata.normalize("NFD", "amé"), ["Amélie"]),
        ("her", ["Her", "Hero", "Hercules"]),
        ("...", ["..."]),
        ("七人", ["七人の侍"]),
        ("x" * 50 + " o", ["x" * 50 + " other"]),
        ("zzzzqqq", []),
        ("", []),
        ("\x00", []),
    ],
)
def test_titles_are_suggested_however_they_are_typed(typed: str, titles: list[str]) -> None:
    assert find_titles(typed) == titles


def test_the_most_watched_of_many_titles_are_kept() -> None:
    titles = tuple(f"Story {n:03}" for n in range(300))
    found = build_index(titles).find("sto", 3, lambda rows: rows.astype(np.float64)).titles
    assert found.tolist() == [299, 298, 297]


@pytest.mark.parametrize("typed", ["keanu", "reev", "KEANU REEVES", "keaun", "zoe"])
def test_people_are_suggested_by_any_of_their_names(typed: str) -> None:
    people = INDEX.find(typed, 5, count_watches).people.tolist()
    name = INDEX.get_person(people[0])
    assert name == ("Zoë Kravitz" if typed == "zoe" else "Keanu Reeves")
    assert INDEX.people_items[people[0]] == (1 if typed == "zoe" else 2)


@settings(deadline=None)
@given(st.text(max_size=80))
def test_any_text_is_answered(text: str) -> None:
    found = INDEX.find(text, 5, count_watches)
    assert len(found.titles) <= 5
    assert len(found.people) <= 5


@settings(deadline=None)
@given(st.lists(st.text(alphabet="abé ·0", min_size=1, max_size=40), min_size=1, max_size=12), st.data())
def test_every_beginning_finds_exactly_the_names_that_have_it(names: list[str], data: st.DataObject) -> None:
    index = NameIndex(**build_names(names))
    name = data.draw(st.sampled_from(names))
    text = compact_title(name)
    typed = text[: data.draw(st.integers(1, SORTED_BYTES + 8))]
    found = set(index.owners[index.find(typed)].tolist())
    wanted = {
        number
        for number, each in enumerate(names)
        for at in range(max(len(split_words(fold_text(each))), 1))
        if ("".join(split_words(fold_text(each))[at:]) or compact_title(each)).startswith(typed)
    }
    assert found == (wanted if typed else set())
