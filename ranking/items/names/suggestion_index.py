"""Suggestions for a text that is being typed: titles and people that begin with it, popular ones first."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from reelrank.ranking.items.names.letter_model import LetterModel
from reelrank.ranking.items.names.name_index import Entries, NameIndex
from reelrank.ranking.items.names.people_index import NO_ROWS
from reelrank.ranking.items.names.title_index import TitleIndex
from reelrank.ranking.items.names.title_keys import compact_title, hash_texts, make_keys

Rows = NDArray[np.intp]
Floats = NDArray[np.float64]
Score = Callable[[Rows], Floats]
"""Returns how popular each of these names [n] is."""
MAX_TYPED = 64
"""Characters of a text that are looked up. No longer beginning tells two names apart."""
MAX_WHOLE = 256
"""Entries looked through for names that were typed whole; they come first in the order of entries."""
MAX_COUNTED_PEOPLE = 64
"""People whose watches are counted, of those with the most items. It bounds the cost of a short beginning."""
MAX_COUNTED_ITEMS = 200
"""Items of one person whose watches are counted; the others are taken to be watched as often."""
MAX_COUNTED_TITLES = 4_000
"""Entries whose watches are counted. Of more, as of one letter, only the most watched titles are ranked."""
MAX_COMPARED = 1_000
"""Entries with the highest scores that are compared in every respect; more are found for a short text."""


class Watches(Protocol):
    """How often items were watched, such as `Popularity`."""

    def count_watches(self, rows: Rows) -> Floats:
        """Returns a number [n] to compare items by."""
        ...

    def get_most_watched(self) -> Rows:
        """Returns some thousand rows, the most watched first."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class FoundNames:
    """Names that begin with a text. titles: rows of the item table. people: numbers of names. Names that were
    typed whole come first, then the most watched.

    are_misspelt: nothing begins with the text as typed; these are one edit away from beginning with it.
    """

    titles: Rows
    people: Rows
    are_misspelt: bool


@dataclass(frozen=True, slots=True, eq=False)
class SuggestionIndex:
    """Titles and names of people by how they begin.

    titles: numbers are rows of the item table. people: numbers are of the distinct names, whose display
    forms are joined in UTF-8 in `people_names`, with people_offsets [P + 1]. people_items [P]: how many items
    each has. letters: of the words of all names. credits: the title index that knows the items of a person.
    """

    titles: NameIndex
    people: NameIndex
    people_names: NDArray[np.uint8]
    people_offsets: NDArray[np.int64]
    people_items: NDArray[np.int32]
    letters: LetterModel
    credits: TitleIndex

    def find(self, text: str, limit: int, watches: Watches) -> FoundNames:
        """Returns at most `limit` titles and people that begin with a text in any of their words.

        When no title begins with the text as typed, one that a search reads alike is found: "godfather 2" for
        "The Godfather: Part II", "lotr" for "The Lord of the Rings". A misspelling is looked for only when
        there is none either.
        """
        typed = compact_title(text[:MAX_TYPED])
        titles, people = self.titles.find(typed), self.people.find(typed)
        alike = NO_ROWS if len(titles) else self._find_alike(text[:MAX_TYPED], watches)[:limit]
        is_misspelt = not len(titles) and not len(people) and not len(alike)
        if is_misspelt:
            titles, people = self.titles.find_misspelt(typed), self.people.find_misspelt(typed)
        titles = self._keep_most_watched(titles, watches.get_most_watched())
        rows = _select_best(self.titles, titles, limit, watches.count_watches)
        best = _select_best(self.people, people, max(limit, MAX_COUNTED_PEOPLE), self._count_items)
        best = best[np.lexsort((-self.people_items[best], -self._estimate_watches(best, watches)))]
        rows = _put_first(alike, _put_first(_find_whole(self.titles, titles, typed), rows))[:limit]
        best = _put_first(_find_whole(self.people, people, typed), best)[:limit]
        return FoundNames(rows, best, is_misspelt)

    def _find_alike(self, text: str, watches: Watches) -> Rows:
        """Returns the rows of titles that a search reads like this text, the most watched first."""
        keys = make_keys(text)
        rows = np.concatenate([self.credits.find_other_forms(keys), self.credits.find_acronym(keys)])
        return np.asarray(rows[np.argsort(-watches.count_watches(rows), kind="stable")])

    def get_person(self, number: int) -> str:
        """Returns the name of a person as the catalogue writes it."""
        low, high = self.people_offsets[number], self.people_offsets[number + 1]
        return bytes(self.people_names[low:high]).decode("utf-8", "surrogatepass")

    def _count_items(self, people: Rows) -> Floats:
        return self.people_items[people].astype(np.float64)

    def _keep_most_watched(self, entries: Entries, most_watched: Rows) -> Entries:
        """Returns the entries of the most watched titles, and the first ones, of very many; else all."""
        if len(entries) <= MAX_COUNTED_TITLES:
            return entries
        is_head = np.zeros(len(self.credits), bool)
        is_head[most_watched] = True
        is_kept = is_head[self.titles.owners[entries]]
        is_kept[:MAX_WHOLE] = True
        return entries[np.flatnonzero(is_kept)]

    def _estimate_watches(self, people: Rows, watches: Watches) -> Floats:
        """Returns the watches of the items of each person [n], from some of them where there are many."""
        hashes = hash_texts([compact_title(self.get_person(person)) for person in people.tolist()])
        first = np.searchsorted(self.credits.people, hashes, "left")
        sizes = np.searchsorted(self.credits.people, hashes, "right") - first
        counted = np.minimum(sizes, MAX_COUNTED_ITEMS)
        owner = np.repeat(np.arange(len(people)), counted)
        within = np.arange(len(owner)) - np.repeat(np.cumsum(counted) - counted, counted)
        counts = watches.count_watches(self.credits.people_rows[first[owner] + within].astype(np.intp))
        sums = np.bincount(owner, counts, len(people))
        return np.asarray(sums * sizes / np.maximum(counted, 1))


def _find_whole(index: NameIndex, entries: Entries, typed: str) -> Rows:
    """Returns the numbers of the names that were typed whole. The shortest texts are the first entries."""
    first = entries[:MAX_WHOLE]
    first = first[index.begin_names(first)]
    return index.owners[first[index.are_whole(first, typed)]].astype(np.intp)


def _select_best(index: NameIndex, entries: Entries, limit: int, score: Score) -> Rows:
    """Returns the names with the highest scores, each once; of equal ones, those that begin with the text."""
    numbers = index.owners[entries].astype(np.intp)
    scores = score(numbers)
    if len(numbers) > MAX_COMPARED:
        top = np.argpartition(-scores, MAX_COMPARED)[:MAX_COMPARED]
        entries, numbers, scores = entries[top], numbers[top], scores[top]
    is_first = index.begin_names(entries)
    ordered = numbers[np.lexsort((numbers, ~is_first, -scores))]
    _, first = np.unique(ordered, return_index=True)
    best: Rows = ordered[np.sort(first)][:limit]
    return best


def _put_first(first: Rows, others: Rows) -> Rows:
    """Returns both without repeats."""
    return np.concatenate([first, others[~np.isin(others, first)]])
