"""The people that a typed text names: one in whole, by a surname or a first name, several, brothers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial, reduce

import numpy as np
from numpy.typing import NDArray

from reelrank.ranking.distinct import sort_distinct, subtract_distinct
from reelrank.ranking.items.names.people_index import NO_NAMESAKES, NO_ROWS, Namesakes, Rows
from reelrank.ranking.items.names.title_index import TitleIndex
from reelrank.ranking.items.names.title_keys import TitleKeys, make_keys, split_year

MAX_TITLE_SHARE = 0.1
"""Titles with a word, as a share of the items of the people of whose name it is a part, up to which it is
read as their name alone: 0 for hanks, 0.07 for kubrick, 0.3 for young, 0.4 for potter on the demo."""

MAX_NAME_WORDS, MAX_PEOPLE_WORDS = 4, 8
"""Words of a name, and of a query, that are read as the names of several people: a bound of the cost."""

SIBLINGS = frozenset({"brother", "brothers", "bros", "sister", "sisters", "siblings"})
"""Words after a surname that mean the people of that name who worked together."""


@dataclass(frozen=True, slots=True, eq=False)
class TypedPeople:
    """People that a text names. rows: of items that lead; of several people, of those that all share.

    others: rows of further items of these people. namesakes: people who share what was typed of a name; the
    most prominent of them is meant, which depends on what is watched. year: of the items that lead.
    """

    rows: Rows = field(default_factory=lambda: NO_ROWS)
    others: Rows = field(default_factory=lambda: NO_ROWS)
    namesakes: Namesakes = NO_NAMESAKES
    year: int | None = None

    def __len__(self) -> int:
        return len(self.rows) + len(self.others) + len(self.namesakes)

    def choose(self, watches: NDArray[np.float64], years: NDArray[np.int16]) -> tuple[Rows, Rows]:
        """Returns the distinct rows that lead, and those that follow.

        watches [n]: of the items of the namesakes; years [N]: of all items.
        """
        leading, others = self.namesakes.choose_leader(watches)
        leading = np.concatenate([self.rows, leading])
        if self.year is not None:
            is_of_year = years[leading] == self.year
            leading, others = leading[is_of_year], np.concatenate([leading[~is_of_year], others])
        return leading, np.concatenate([self.others, others])


NOBODY = TypedPeople()


def find_whole_name(index: TitleIndex, keys: TitleKeys) -> Rows:
    """Returns the items of the person with this whole name; of one word, unless it is one of titles."""
    people = index.credits.find(keys)
    is_word = len(keys.words) == 1 and index.is_title_word(keys, MAX_TITLE_SHARE * len(people))
    return NO_ROWS if is_word else people


def find_by_part(index: TitleIndex, keys: TitleKeys) -> TypedPeople:
    """Returns the people with this surname or first name, unless its words are those of titles."""
    return TypedPeople(namesakes=_keep_names(index, keys, index.credits.find_namesakes(keys)))


def find_siblings(index: TitleIndex, keys: TitleKeys) -> TypedPeople:
    """Returns the people of a surname before "brothers" or "sisters": what they share leads.

    Items that credit them so themselves ("Coen brothers") lead too. Where none is shared, the most prominent
    of the name does.
    """
    words = keys.words[1:] if keys.words[:1] == ("the",) else keys.words
    if len(words) < 2 or words[-1] not in SIBLINGS:
        return NOBODY
    surname = make_keys(" ".join(words[:-1]))
    named = _keep_names(index, surname, index.credits.find_family(surname))
    shared, credited = named.find_shared(), index.credits.find(make_keys(" ".join(words)))
    if not len(shared):
        return TypedPeople(credited, namesakes=named) if len(named) else NOBODY
    rows = sort_distinct(np.concatenate([shared, credited]))
    return TypedPeople(rows, subtract_distinct(named.rows, rows))


def find_of_year(index: TitleIndex, keys: TitleKeys) -> TypedPeople:
    """Returns the person whose name stands before a year: "tom hanks 1994"."""
    if keys.year is None:
        return NOBODY
    name = make_keys(split_year(keys.text)[0])
    if len(whole := find_whole_name(index, name)):
        return TypedPeople(whole, year=keys.year)
    named = find_by_part(index, name).namesakes
    return TypedPeople(namesakes=named, year=keys.year) if len(named) else NOBODY


def find_together(index: TitleIndex, words: Sequence[str]) -> TypedPeople:
    """Returns several people at once, each named in whole or in part: "hanks spielberg".

    The items of all of them lead, those of any follow. Nobody if a word belongs to no name, or if they share
    nothing and one of them is named in part only.
    """
    found, start, are_whole = list[Namesakes](), 0, True
    words = words[:MAX_PEOPLE_WORDS]
    while start < len(words):
        for end in range(min(len(words), start + MAX_NAME_WORDS), start, -1):
            keys = make_keys(" ".join(words[start:end]))
            whole = index.credits.find(keys)
            named = _as_one(whole) if len(whole) else find_by_part(index, keys).namesakes.keep_prominent()
            if len(named):
                break
        else:
            return NOBODY
        found.append(named)
        are_whole &= len(whole) > 0
        start = end
    return _unite(found, are_whole) if len(found) > 1 else NOBODY


def _unite(found: Sequence[Namesakes], are_whole: bool) -> TypedPeople:
    rows = (sort_distinct(named.rows) for named in found)
    shared = reduce(partial(np.intersect1d, assume_unique=True), rows)
    if not len(shared) and not are_whole:
        return NOBODY
    meant = [named.keep_with(shared) if len(shared) else named for named in found]
    return TypedPeople(shared, subtract_distinct(np.concatenate([named.rows for named in meant]), shared))


def _keep_names(index: TitleIndex, keys: TitleKeys, named: Namesakes) -> Namesakes:
    """Returns the namesakes, or nobody where the text is rather a word of titles."""
    is_word = index.is_title_word(keys, MAX_TITLE_SHARE * named.count_of_best_known())
    return NO_NAMESAKES if is_word else named


def _as_one(rows: Rows) -> Namesakes:
    return Namesakes(rows, np.zeros(len(rows), np.intp), np.zeros(len(rows), np.uint8))
