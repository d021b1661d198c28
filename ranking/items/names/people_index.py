"""People by their whole name and by the part of it that is typed alone: a surname or a first name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reelrank.index_mappings.text import fold_text
from reelrank.ranking.distinct import sort_distinct, subtract_distinct
from reelrank.ranking.items.names.title_keys import Hashes, TitleKeys, compact_title, hash_text, split_words

Rows = NDArray[np.intp]
NO_ROWS: Rows = np.empty(0, np.intp)
FIRST_MARK = " "
"""Stands behind a first name, so that it is not the same part as a surname; compact texts have no blanks."""
MAX_PLACE = 255
MAX_NAMESAKES = 500
"""People who share a part of a name and are still looked up; more of them are nobody in particular."""
PROMINENCE = 0.5
"""Items of a person, as a share of those of the namesake with the most, from which the name means them too:
"hanks" is Tom Hanks (44 items of the demo), not Colin Hanks (12). A choice."""


@dataclass(frozen=True, slots=True, eq=False)
class Namesakes:
    """Items of people who share a part of a name.

    rows [n]; owners [n]: whose item it is, people numbered from 0; places [n]: how many people the item names
    before this one. An item of two of them is there twice.
    """

    rows: Rows
    owners: Rows
    places: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.rows)

    def count_of_best_known(self) -> int:
        """Returns how many items the people have who have at least PROMINENCE as many as one of them."""
        counts = np.bincount(self.owners)
        is_best_known = counts >= PROMINENCE * counts.max(initial=0)
        return len(sort_distinct(self.rows[is_best_known[self.owners]]))

    def keep_prominent(self) -> "Namesakes":
        """Returns those who are at least PROMINENCE as prominent as the first, whatever is watched."""
        prominence = self._rate(np.ones(len(self)))
        return self._take((prominence >= PROMINENCE * prominence.max(initial=0))[self.owners])

    def keep_with(self, rows: Rows) -> "Namesakes":
        """Returns the people who have one of these items, with all of theirs."""
        has_one = np.bincount(self.owners, np.isin(self.rows, rows)) > 0
        return self._take(has_one[self.owners])

    def find_shared(self) -> Rows:
        """Returns the distinct rows of items that two of these people share."""
        rows, counts = np.unique(self.rows, return_counts=True)
        return np.asarray(rows[counts > 1])

    def choose_leader(self, watches: NDArray[np.float64]) -> tuple[Rows, Rows]:
        """Returns the distinct rows of the most prominent person, and those of all others alone.

        watches [n]: of each item, in any unit. An item counts by the square root of its watches beside the
        mean ones, and less the later it names the person: directors and leads before the rest of a cast.
        """
        if not len(self):
            return NO_ROWS, NO_ROWS
        leads = self.owners == self._rate(np.sqrt(1 + watches / max(watches.mean(), 1e-9))).argmax()
        first = sort_distinct(self.rows[leads])
        return first, subtract_distinct(self.rows[~leads], first)

    def _rate(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.bincount(self.owners, weights / (1.0 + self.places)), np.float64)

    def _take(self, is_kept: NDArray[np.bool_]) -> "Namesakes":
        return Namesakes(self.rows[is_kept], self.owners[is_kept], self.places[is_kept])


NO_NAMESAKES = Namesakes(NO_ROWS, NO_ROWS, np.empty(0, np.uint8))


@dataclass(frozen=True, slots=True, eq=False)
class PeopleIndex:
    """people: sorted hashes [P] of the compact names of people, one for each of their items; rows [P].

    places [P]: how many people the item names before this one, MAX_PLACE at most.
    parts: sorted hashes [S] of the parts of names; part_people [S]: the hash of the name of each.
    """

    people: Hashes
    rows: NDArray[np.int32]
    places: NDArray[np.uint8]
    parts: Hashes
    part_people: Hashes

    def find(self, typed: TitleKeys) -> Rows:
        """Returns the distinct rows of the items of a person with this whole name."""
        return sort_distinct(find_hash(self.people, self.rows, typed.compact_hash))

    def find_namesakes(self, typed: TitleKeys) -> Namesakes:
        """Returns the people with this surname or first name; none of more than MAX_NAMESAKES."""
        return self._gather(self._find_people(typed.compact_hash, hash_text(typed.compact + FIRST_MARK)))

    def find_family(self, typed: TitleKeys) -> Namesakes:
        """Returns the people with this surname; none of more than MAX_NAMESAKES."""
        return self._gather(self._find_people(typed.compact_hash))

    def find_rare_name(self, typed: TitleKeys, limit: float) -> Rows:
        """Returns the rows of the items of everybody with this surname or first name, with repeats; none if
        there are as many as `limit`.
        """
        found = self.find_namesakes(typed)
        return found.rows if len(found) < limit else NO_ROWS

    def _find_people(self, *keys: int) -> Hashes:
        """Returns the distinct hashes of the names that have one of these parts."""
        people = np.concatenate([find_hash(self.parts, self.part_people, key) for key in keys])
        return people[:0] if len(people) > MAX_NAMESAKES else sort_distinct(people)

    def _gather(self, people: Hashes) -> Namesakes:
        if not len(people):
            return NO_NAMESAKES
        first = self.people.searchsorted(people)
        counts = self.people.searchsorted(people, "right") - first
        ends = np.cumsum(counts)
        positions = np.arange(int(counts.sum())) + np.repeat(first - (ends - counts), counts)
        owners = np.repeat(np.arange(len(people)), counts)
        return Namesakes(np.asarray(self.rows[positions], np.intp), owners, self.places[positions])


def find_hash(keys: Hashes, values: NDArray[Any], key: int) -> NDArray[Any]:
    """Returns the values of a key among sorted keys."""
    first = int(keys.searchsorted(np.uint64(key)))
    if first == len(keys) or keys[first] != key:
        return values[:0]
    return values[first : int(keys.searchsorted(np.uint64(key), "right"))]


def build_people(people: Sequence[tuple[str, ...]]) -> dict[str, NDArray[Any]]:
    """Returns the columns of a PeopleIndex for the people of each row, as a TitleIndex names them."""
    pairs = [(row, place, name) for row, names in enumerate(people) for place, name in enumerate(names)]
    hashes = {name: hash_text(compact_title(name)) for name in dict.fromkeys(name for *_, name in pairs)}
    keys = np.array([hashes[name] for *_, name in pairs], np.uint64)
    order = np.argsort(keys, kind="stable")
    return {
        "people": keys[order],
        "people_rows": np.array([row for row, *_ in pairs], np.int32)[order],
        "people_places": np.array([min(place, MAX_PLACE) for _, place, _ in pairs], np.uint8)[order],
        **_build_parts(hashes),
    }


def _build_parts(hashes: Mapping[str, int]) -> dict[str, NDArray[Any]]:
    pairs = [(hash_text(part), person) for name, person in hashes.items() for part in list_parts(name)]
    parts = np.array([part for part, _ in pairs], np.uint64)
    order = np.argsort(parts, kind="stable")
    return {"parts": parts[order], "part_people": np.array([person for _, person in pairs], np.uint64)[order]}


def list_parts(name: str) -> list[str]:
    """Returns the compact parts of a name: from each word but the first to its end, and the first word with
    FIRST_MARK."""
    words = split_words(fold_text(name))
    if len(words) < 2:
        return []
    endings = ["".join(words[start:]) for start in range(1, len(words))]
    return list(dict.fromkeys([*endings, words[0] + FIRST_MARK]))
