"""Words that a search is extended with: numerals, completions, synonyms, and errors in a synonyms file."""

import numpy as np
import pytest

from reelrank.index_mappings.item import Item
from reelrank.ranking.items.names.title_index import TitleIndex
from reelrank.ranking.items.names.title_index_builder import TitleIndexBuilder
from reelrank.ranking.items.names.typed_query import TypedQuery, read_query
from reelrank.ranking.items.spelling.synonyms import NO_SYNONYMS, SynonymError, Synonyms, parse_synonyms

TITLES = (
    "Rocky II",
    "The Godfather: Part II",
    "Science Fiction Story",
    "Film",
    "Reeve",
    "Reeves",
    "Reeves Two",
)
FILE = """
# ways to say it
film, movie, motion picture
sci-fi, SF => science fiction   # one way
"""


def read(text: str, synonyms: Synonyms = NO_SYNONYMS) -> TypedQuery:
    builder = TitleIndexBuilder()
    builder.add(Item(str(row), title) for row, title in enumerate(TITLES))
    index = TitleIndex(**builder.build(np.arange(len(TITLES))))
    return read_query(index, text, np.full(len(TITLES), 2000, np.int16), 10, synonyms)


@pytest.mark.parametrize(
    ("text", "expansion"),
    [
        ("rocky 2", {"ii", "two"}),
        ("rocky ii", {"2", "two"}),
        ("rocky two", {"2", "ii"}),
        ("godfather part II", {"2", "two"}),
        ("two", set()),
        ("two rocky", set()),
        ("rocky 22", set()),
        ("rocky five", {"5"}),
        ("rocky v", set()),
    ],
)
def test_a_numeral_at_the_end_is_searched_in_its_other_forms(text: str, expansion: set[str]) -> None:
    assert set(read(text).expansion) == expansion


@pytest.mark.parametrize(
    ("text", "expansion"),
    [
        ("keanu ree", ("reeves", "reeve")),
        ("keanu reeve", ()),
        ("ree", ("reeves", "reeve")),
        ("re", ()),
        ("ree keanu", ()),
    ],
)
def test_a_half_typed_last_word_is_completed(text: str, expansion: tuple[str, ...]) -> None:
    typed = read(text)
    assert typed.expansion == expansion
    assert typed.spelling == text


@pytest.mark.parametrize(
    ("text", "expansion"),
    [
        ("horror movie", ["film", "motion", "picture"]),
        ("a MOTION picture", ["film", "movie"]),
        ("Sci-Fi story", ["science", "fiction"]),
        ("sf", ["science", "fiction"]),
        ("science fiction", []),
        ("science fictoin", []),
        ("motion", []),
    ],
)
def test_synonyms_extend_a_search_as_the_file_says(text: str, expansion: list[str]) -> None:
    assert list(read(text, parse_synonyms(FILE)).expansion) == expansion


def test_a_word_with_synonyms_is_no_misspelling() -> None:
    assert read("fillm").spelling == "film"
    typed = read("fillm", parse_synonyms("fillm => science"))
    assert (typed.spelling, typed.expansion) == ("fillm", ("science",))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("film", 1),
        ("a, b\n\nfilm =>", 3),
        ("=> film", 1),
        ("a => b => c", 1),
        ("# fine\na,,b", 2),
        ("a, !!!", 1),
    ],
)
def test_a_line_that_cannot_be_read_is_named(text: str, line: int) -> None:
    with pytest.raises(SynonymError, match=rf"line {line}: "):
        parse_synonyms(text)


@pytest.mark.parametrize("text", ["", "\n# nothing\n", "a, b # c", "a=>b", "\ta ,b\r\n"])
def test_other_lines_are_read(text: str) -> None:
    assert parse_synonyms(text).longest <= 1
