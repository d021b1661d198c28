"""A typed query read against the titles and names of the catalogue: what it names, and how it is spelt."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reelrank.ranking.items.title_index import NO_ROWS, Rows, TitleIndex
from reelrank.ranking.items.title_keys import fold_text, split_words, split_year

YEAR_TOLERANCE = 1
"""Years between what people type and what catalogues state: release dates differ between countries."""


@dataclass(frozen=True, slots=True, eq=False)
class TypedQuery:
    """What a query names. spelling: the query, with misspelt words corrected.

    titles: rows whose whole title it is. people: rows of items of the person whose whole name it is.
    beginnings: rows whose title begins with it, shortest first, and the length of each title in bytes.
    """

    spelling: str
    titles: Rows
    people: Rows
    beginnings: Rows
    lengths: NDArray[np.int64]


def read_query(index: TitleIndex, text: str, year: NDArray[np.int16], limit: int) -> TypedQuery:
    """Reads a query of any length; year: of each row of the catalogue. limit: most beginnings.

    The query is taken as it is if it names anything. Else the first corrected spelling that names something
    is taken, else the most frequent correction of its unknown words.
    """
    for spelling in _list_spellings(index, text):
        titles, people = _find_titles(index, spelling, year), index.find_people(spelling)
        if len(titles) or len(people):
            return TypedQuery(spelling, titles, people, *_find_beginnings(index, spelling, limit))
    beginnings, lengths = _find_beginnings(index, text, limit)
    spelling = text if len(beginnings) else next(iter(index.correct(text)), text)
    return TypedQuery(spelling, NO_ROWS, NO_ROWS, beginnings, lengths)


def _list_spellings(index: TitleIndex, text: str) -> Iterator[str]:
    """Corrections cost about a millisecond a word, so they are made only when they are asked for."""
    yield text
    yield from index.correct(text)
    yield from index.respell(text)


def _find_titles(index: TitleIndex, text: str, year: NDArray[np.int16]) -> Rows:
    """A year at the end of the query narrows to titles of about that year."""
    rows = index.find_titles(text)
    bare, wanted = split_year(text)
    if len(rows) or wanted is None:
        return rows
    rows = index.find_titles(bare)
    return rows[np.abs(year[rows].astype(np.int64) - wanted) <= YEAR_TOLERANCE]


def _find_beginnings(index: TitleIndex, text: str, limit: int) -> tuple[Rows, NDArray[np.int64]]:
    """One whole word is a query by itself ("war"), not a title that is half typed."""
    words = split_words(fold_text(text))
    if len(words) == 1 and index.count_words(words)[0]:
        return NO_ROWS, NO_ROWS
    return index.find_prefix(text, limit)
