"""Titles are compared with what was typed: shared words, neighbouring words, edit distance."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelrank.ranking.items.names.title_keys import strip_plural
from reelrank.ranking.items.names.title_words import (
    MAX_LETTERS,
    TitleWords,
    build_title_words,
    compute_edit_distances,
)

TITLES = ("The Godfather", "The Godfather: Part II", "Alien", "Amélie", "Spider-Man", "...", "七人の侍")
ROWS = np.arange(len(TITLES))


@pytest.fixture(scope="module")
def title_words() -> TitleWords:
    return TitleWords(**build_title_words(TITLES))


def compute_distance_by_definition(a: bytes, b: bytes) -> int:
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, start=1):
        following = [i]
        for j, y in enumerate(b, start=1):
            following.append(min(following[-1] + 1, row[j] + 1, row[j - 1] + (x != y)))
        row = following
    return row[-1]


def test_edit_distances_equal_those_of_the_definition() -> None:
    rng = random.Random(0)
    for _ in range(300):
        text = bytes(rng.choice(b"abc") for _ in range(rng.randrange(9)))
        words = [bytes(rng.choice(b"abc") for _ in range(rng.randrange(9))) for _ in range(6)]
        lengths = np.array([len(word) for word in words])
        letters = np.zeros((int(lengths.max()), len(words)), np.uint8)
        for column, word in enumerate(words):
            letters[: len(word), column] = list(word)
        found = compute_edit_distances(np.frombuffer(text, np.uint8), letters, lengths)
        assert found.tolist() == [compute_distance_by_definition(text, word) for word in words]


def test_the_longest_texts_do_not_overflow() -> None:
    title, typed = "a" * 100, "b" * 100
    both = TitleWords(**build_title_words([title, f"{typed} {title}"]))
    assert both.compare(np.array([1]), typed, typed).edits.tolist() == [0.0], MAX_LETTERS
    assert both.compare(np.array([0]), typed, title).edits.tolist() == [1.0]


def test_words_are_shared_in_any_case_accent_and_numeral(title_words: TitleWords) -> None:
    assert title_words.compare(ROWS, "GODFATHER 2", "GODFATHER 2").words[:2].tolist() == [0.5, 1.0]
    assert title_words.compare(ROWS, "amelie", "amelie").words.tolist() == [0, 0, 0, 1, 0, 0, 0]


def test_the_typed_share_of_a_title_counts_its_own_words(title_words: TitleWords) -> None:
    covered = title_words.compare(ROWS, "godfather the of", "godfather the of").covered
    assert covered.tolist() == [1.0, 0.5, 0, 0, 0, 0, 0]


def test_neighbouring_words_make_a_phrase(title_words: TitleWords) -> None:
    phrase = title_words.compare(ROWS, "godfather part", "godfather part").phrase
    assert phrase[:2].tolist() == [0.0, 1.0]
    assert np.isnan(title_words.compare(ROWS, "alien", "alien").phrase).all()


def test_a_word_at_the_end_of_one_title_is_no_neighbour_of_the_next(title_words: TitleWords) -> None:
    assert not title_words.compare(ROWS, "godfather the", "godfather the").phrase.any()


def test_edits_count_what_was_typed_and_words_what_was_meant(title_words: TitleWords) -> None:
    agreement = title_words.compare(ROWS, "alein", "alien")
    assert agreement.words[2] == 1.0
    assert agreement.edits[2] == pytest.approx(2 / 5)
    assert np.isnan(agreement.edits[[0, 1, 3]]).all()


@pytest.mark.parametrize("text", ["", "...", "zzz " * 500, "\ud800", "侍"])
def test_any_text_can_be_compared(title_words: TitleWords, text: str) -> None:
    agreement = title_words.compare(ROWS, text, text)
    assert agreement.words.shape == agreement.phrase.shape == agreement.edits.shape == (len(TITLES),)


def test_no_titles_and_no_rows_are_compared() -> None:
    empty = TitleWords(**build_title_words([]))
    assert len(empty.compare(np.empty(0, np.intp), "alien", "alien").words) == 0


@pytest.mark.parametrize(
    ("typed", "title"),
    [
        ("star war", "Star Wars"),
        ("toy stories", "Toy Story"),
        ("heroes", "Hero"),
        ("movies", "The Movie"),
        ("boxes", "The Box"),
        ("shoe", "Red Shoes"),
        ("et", "E.T. the Extra-Terrestrial"),
        ("spiderman 2", "Spider-Man 2"),
        ("starwars", "Star Wars: Episode IV"),
        ("eleven", "Ocean's 11"),
        ("twelve monkeys", "12 Monkeys"),
        ("12 monkeys", "Twelve Monkeys"),
    ],
)
def test_plurals_joined_words_and_numbers_are_shared(typed: str, title: str) -> None:
    both = TitleWords(**build_title_words([title, "Heat"]))
    assert both.compare(np.arange(2), typed, typed).words.tolist() == [1, 0]


@given(st.from_regex(r"[a-z]{2,9}[bcdfgklmnprtwyeio]", fullmatch=True))
def test_a_regular_plural_equals_its_singular(word: str) -> None:
    plural = f"{word[:-1]}ies" if word.endswith("y") else f"{word}s"
    if len(word) > 3 and not plural.endswith(("us", "is")):
        assert strip_plural(plural) == strip_plural(word)
