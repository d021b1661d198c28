"""A typed query read against the titles and names of the catalogue: what it names, and how it is spelt."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reelrank.ranking.items.title_index import NO_ROWS, Rows, TitleIndex
from reelrank.ranking.items.title_keys import make_keys


@dataclass(frozen=True, slots=True, eq=False)
class TypedQuery:
    """What a query names. spelling: the query, with misspelt words corrected.

    titles: rows whose whole title it is. people: rows of items of the person whose whole name it is.
    beginnings: rows whose title begins with it, shortest first.
    """

    spelling: str
    titles: Rows
    people: Rows
    beginnings: Rows


def read_query(index: TitleIndex, text: str, year: NDArray[np.int16], limit: int) -> TypedQuery:
    """Reads a query of any length; year: of each row of the catalogue. limit: most beginnings.

    The query is taken as it is if it names anything. Else the first corrected spelling that names something
    is taken, else the most frequent correction of its unknown words.
    """
    for spelling in _list_spellings(index, text):
        keys = make_keys(spelling)
        titles, people = index.find_titles(keys, year), index.find_people(keys)
        if len(titles) or len(people):
            return TypedQuery(spelling, titles, people, index.find_beginnings(keys, limit))
    keys = make_keys(text)
    beginnings = index.find_beginnings(keys, limit)
    spelling = text if len(beginnings) else next(iter(index.correct(keys.words)), text)
    return TypedQuery(spelling, NO_ROWS, NO_ROWS, beginnings)


def _list_spellings(index: TitleIndex, text: str) -> Iterator[str]:
    """Corrections cost about a millisecond a word, so they are made only when they are asked for."""
    yield text
    words = make_keys(text).words
    yield from index.correct(words)
    yield from index.respell(words)
