"""A typed query read against the titles and names of the catalogue: what it names, and how it is spelt."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reelrank.ranking.items.names.title_index import MIN_CORRECTED, NO_ROWS, Rows, TitleIndex
from reelrank.ranking.items.names.title_keys import make_keys
from reelrank.ranking.items.spelling.expansion import expand
from reelrank.ranking.items.spelling.synonyms import NO_SYNONYMS, Synonyms

MIN_CORRECTED_BESIDE_OTHERS = 3
"""Letters of a word that is corrected if the whole query then names or begins a title or names a person."""


@dataclass(frozen=True, slots=True, eq=False)
class TypedQuery:
    """What a query names. spelling: the query, with misspelt words corrected.

    titles: rows whose whole title it is. people: rows of items of the person whose whole name it is.
    beginnings: rows whose title begins with it, shortest first. expansion: words to search for beside it.
    """

    spelling: str
    titles: Rows
    people: Rows
    beginnings: Rows
    expansion: tuple[str, ...] = ()


def read_query(
    index: TitleIndex,
    text: str,
    year: NDArray[np.int16],
    limit: int,
    synonyms: Synonyms = NO_SYNONYMS,
) -> TypedQuery:
    """Reads a query of any length; year: of each row of the catalogue. limit: most beginnings.

    The query is taken as it is if it names anything. Else the first spelling is taken that names something,
    else the first that begins a title, else the nearest correction of its unknown words. Corrections
    cost about a millisecond a word, so they are made only when they are needed.
    """
    typed = _read_spelling(index, text, year, limit, synonyms)
    words = make_keys(typed.spelling).words
    return replace(typed, expansion=expand(words, index.vocabulary, synonyms))


def _read_spelling(
    index: TitleIndex, text: str, year: NDArray[np.int16], limit: int, synonyms: Synonyms
) -> TypedQuery:
    if (named := _read_names(index, text, year, limit)) is not None:
        return named
    words = make_keys(text).words
    shortest = MIN_CORRECTED if len(words) == 1 else MIN_CORRECTED_BESIDE_OTHERS
    corrections = index.correct(words, shortest, synonyms.words)
    for spelling in (*corrections, *index.respell(words)):
        if (named := _read_names(index, spelling, year, limit)) is not None:
            return named
    for spelling in (text, *corrections):
        if len(beginnings := index.find_beginnings(make_keys(spelling), limit)):
            return TypedQuery(spelling, NO_ROWS, NO_ROWS, beginnings)
    return TypedQuery(_correct_long_words(index, text, words, corrections), NO_ROWS, NO_ROWS, NO_ROWS)


def _read_names(index: TitleIndex, spelling: str, year: NDArray[np.int16], limit: int) -> TypedQuery | None:
    keys = make_keys(spelling)
    titles, people = index.find_titles(keys, year), index.find_people(keys)
    if not len(titles) and not len(people):
        return None
    return TypedQuery(spelling, titles, people, index.find_beginnings(keys, limit))


def _correct_long_words(
    index: TitleIndex, text: str, words: Sequence[str], corrections: Sequence[str]
) -> str:
    """Returns the first correction with short words as typed, which have too many neighbours, and a last word
    as typed that begins a known one: it is half typed.
    """
    if not corrections:
        return text
    pairs = zip(words, corrections[0].split(" "), strict=True)
    spelling = [word if len(word) < MIN_CORRECTED else corrected for word, corrected in pairs]
    if index.vocabulary.complete(words[-1], 1):
        spelling[-1] = words[-1]
    return text if spelling == list(words) else " ".join(spelling)
