"""Suggestions: names that begin as typed, one typo away when nothing does, the most watched first."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from reelrank.index_mappings.item import Item
from reelrank.index_mappings.text import fold_text
from reelrank.ranking.items.names.name_index import SORTED_BYTES, NameIndex, build_names
from reelrank.ranking.items.names.suggestion_builder import SuggestionBuilder, assemble_suggestions
from reelrank.ranking.items.names.suggestion_index import (
    MAX_COUNTED_ITEMS,
    MAX_COUNTED_TITLES,
    SuggestionIndex,
)
from reelrank.ranking.items.names.title_index import TitleIndex
from reelrank.ranking.items.names.title_index_builder import TitleIndexBuilder
from reelrank.ranking.items.names.title_keys import compact_title, split_words
from reelrank.ranking.items.popularity.counters import Popularity

TITLES = (
    "The Matrix", "Matilda", "The Godfather", "The Godfather: Part II", "Spider-Man", "WALL·E", "Amélie",
    "Her", "Hercules", "Hero", "...", "七人の侍", "x" * 50 + " end", "x" * 50 + " other",
)  # fmt: skip
PEOPLE = ("Keanu Reeves", "Keanu Reeves", "Zoë Kravitz")


@dataclass(frozen=True)
class StatedWatches:
    """Watches by row."""

    counts: NDArray[np.float64]

    def count_watches(self, rows: NDArray[np.intp]) -> NDArray[np.float64]:
        return self.counts[rows]

    def get_most_watched(self) -> NDArray[np.intp]:
        return np.argsort(-self.counts)[:50]


WATCHES = StatedWatches(np.array([9, 8, 7, 6, 5, 4, 3, 0, 2, 99, 1, 1, 1, 1], np.float64))


def build_index(titles: tuple[str, ...] = TITLES) -> SuggestionIndex:
    return assemble_items(
        [Item(f"{n:05}", title, people=PEOPLE[n : n + 1]) for n, title in enumerate(titles)]
    )


def assemble_items(items: Sequence[Item]) -> SuggestionIndex:
    suggestions, credits = SuggestionBuilder(), TitleIndexBuilder()
    suggestions.add(items)
    credits.add(items)
    order = np.arange(len(items))
    return assemble_suggestions(suggestions.build(order), TitleIndex(**credits.build(order)))


INDEX = build_index()


def find_titles(text: str, limit: int = 5) -> list[str]:
    return [TITLES[row] for row in INDEX.find(text, limit, WATCHES).titles.tolist()]


@pytest.mark.parametrize(
    ("typed", "titles"),
    [
        ("mat", ["The Matrix", "Matilda"]),
        ("THE MAT", ["The Matrix"]),
        ("matirx", ["The Matrix"]),
        ("godfahter", ["The Godfather", "The Godfather: Part II"]),
        ("godfather 2", ["The Godfather: Part II"]),
        ("The Godfather, Part Two", ["The Godfather: Part II"]),
        ("the godfather ii", ["The Godfather: Part II"]),
        ("gpi", ["The Godfather: Part II"]),
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


def test_a_title_with_another_numeral_is_not_a_misspelling() -> None:
    assert not INDEX.find("godfather 2", 5, WATCHES).are_misspelt
    assert INDEX.find("godfather 2", 0, WATCHES).titles.size == 0


@pytest.mark.parametrize("size", [300, MAX_COUNTED_TITLES + 5_000])
def test_the_most_watched_of_many_titles_are_kept(size: int) -> None:
    index = build_index(tuple(f"Story {n:05}" for n in range(size)))
    watches = StatedWatches(np.arange(size, dtype=np.float64))
    assert index.find("sto", 3, watches).titles.tolist() == [size - 1, size - 2, size - 3]
    assert index.find("story 00017", 3, watches).titles.tolist() == [17]


def test_many_titles_that_nobody_watched_are_suggested_too() -> None:
    index = build_index(tuple(f"Story {n:05}" for n in range(MAX_COUNTED_TITLES + 5_000)))
    assert len(index.find("sto", 3, Popularity(len(index.credits))).titles) == 3


def test_people_of_many_items_come_before_those_of_few() -> None:
    items = [
        Item(f"{n:04}", "x", people=("Ada Busy",) if n < 2 * MAX_COUNTED_ITEMS else ("Ada Rare",))
        for n in range(2 * MAX_COUNTED_ITEMS + 1)
    ]
    index = assemble_items(items)
    watches = StatedWatches(np.full(len(items), 2.0))
    people = [index.get_person(person) for person in index.find("ada", 5, watches).people.tolist()]
    assert people == ["Ada Busy", "Ada Rare"]
    rarely = StatedWatches(np.array([0.0] * 2 * MAX_COUNTED_ITEMS + [1.0]))
    assert index.get_person(index.find("ada", 5, rarely).people[0]) == "Ada Rare"


@pytest.mark.parametrize("typed", ["keanu", "reev", "KEANU REEVES", "keaun", "zoe"])
def test_people_are_suggested_by_any_of_their_names(typed: str) -> None:
    people = INDEX.find(typed, 5, WATCHES).people.tolist()
    name = INDEX.get_person(people[0])
    assert name == ("Zoë Kravitz" if typed == "zoe" else "Keanu Reeves")
    assert INDEX.people_items[people[0]] == (1 if typed == "zoe" else 2)


@settings(deadline=None)
@given(st.text(max_size=80))
def test_any_text_is_answered(text: str) -> None:
    found = INDEX.find(text, 5, WATCHES)
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
