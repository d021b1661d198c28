"""Misspelt and half-typed words against the words of a catalogue, beside slow and obvious answers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelrank.index_mappings.item import Item
from reelrank.ranking.items.spelling.allowed_edits import MIN_TWICE
from reelrank.ranking.items.spelling.vocabulary import (
    WORD_BYTES,
    Vocabulary,
    VocabularyBuilder,
)

WORDS = st.text(st.sampled_from("abc"), min_size=1, max_size=11)
TEXTS = st.lists(WORDS, min_size=1, max_size=40)


def build_vocabulary(titles: list[str]) -> Vocabulary:
    builder = VocabularyBuilder()
    for number, title in enumerate(titles):
        builder.add(Item(str(number), title))
    columns = builder.build()
    return Vocabulary(
        columns["words"], columns["word_counts"], columns["word_title_counts"], columns["word_marks"]
    )


def measure_distance(one: str, other: str) -> int:
    """Optimal string alignment, as in Damerau 1964."""
    table = [[i + j if i * j == 0 else 0 for j in range(len(other) + 1)] for i in range(len(one) + 1)]
    for i in range(1, len(one) + 1):
        for j in range(1, len(other) + 1):
            differs = one[i - 1] != other[j - 1]
            table[i][j] = min(table[i - 1][j] + 1, table[i][j - 1] + 1, table[i - 1][j - 1] + differs)
            if i > 1 and j > 1 and one[i - 2 : i] == other[j - 2 : j][::-1]:
                table[i][j] = min(table[i][j], table[i - 2][j - 2] + 1)
    return table[-1][-1]


@given(WORDS, TEXTS)
def test_a_correction_is_the_nearest_word_with_the_first_letter(word: str, titles: list[str]) -> None:
    near = {title: measure_distance(word, title) for title in titles if title[0] == word[0] and title != word}
    allowed = 0 if len(word) < 2 else 1 if len(word) < MIN_TWICE else 2
    nearest = min(near.values(), default=9)
    corrections = build_vocabulary(titles).correct(word, 2)
    assert bool(corrections) == (nearest <= allowed)
    assert {near[each] for each in corrections} <= {nearest}
    counts = [titles.count(each) for each in corrections]
    assert counts == sorted(counts, reverse=True)


@given(WORDS, TEXTS)
def test_completions_begin_with_the_word_most_frequent_first(start: str, titles: list[str]) -> None:
    wanted = {title for title in titles if title.startswith(start) and title != start}
    found = build_vocabulary(titles).complete(start, 5)
    assert set(found) <= wanted
    assert len(found) == min(len(wanted), 5)
    counts = [titles.count(each) for each in found]
    assert counts == sorted(counts, reverse=True)


@pytest.mark.parametrize("letters", [WORD_BYTES - 1, WORD_BYTES, WORD_BYTES + 5])
def test_a_longer_word_than_is_kept_is_known_but_never_proposed(letters: int) -> None:
    vocabulary = build_vocabulary(["q" * letters])
    assert vocabulary.count(["q" * letters, "q" * (WORD_BYTES - 2)]).tolist() == [1, 0]
    assert vocabulary.complete("qqq", 5) == (["q" * letters] if letters < WORD_BYTES else [])
    assert vocabulary.correct("q" * (WORD_BYTES - 2), 2) == (["q" * letters] if letters < WORD_BYTES else [])


@pytest.mark.parametrize(
    ("typed", "corrected"),
    [
        ("lighthuose", "lighthouse"),
        ("lihgthuose", "lighthouse"),
        ("lghthous", "lighthouse"),
        ("ligxthxuse", "lighthouse"),
        ("mtarix", "matrix"),
        ("mtarxi", None),
        ("xighthouse", None),
        ("\u043c\u0430\u0442\u0440\u0438\u0446\u0430", None),
    ],
)
def test_the_number_of_edits_grows_with_the_length(typed: str, corrected: str | None) -> None:
    assert build_vocabulary(["The Lighthouse", "Matrix"]).correct(typed, 2) == (
        [corrected] if corrected else []
    )


def test_an_empty_catalogue_knows_no_word() -> None:
    empty = build_vocabulary([])
    assert (empty.count(["heat"]).tolist(), empty.correct("heat", 2), empty.complete("heat", 3)) == (
        [0],
        [],
        [],
    )


@pytest.mark.parametrize(
    ("word", "known", "is_known"),
    [
        ("comedies", "Comedy", True),
        ("movies", "movie", True),
        ("boxes", "Box", True),
        ("avenger", "Avengers", True),
        ("comedian", "Comedy", False),
        ("1980s", "1980", False),
    ],
)
def test_a_plural_is_known_by_its_singular(word: str, known: str, is_known: bool) -> None:
    assert build_vocabulary([known]).knows_plural(word) == is_known
