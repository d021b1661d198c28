"""People by their whole name and by the part of it that is typed alone: a surname or a first name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reelrank.index_mappings.text import fold_text
from reelrank.ranking.distinct import sort_distinct
from reelrank.ranking.items.names.title_keys import Hashes, TitleKeys, compact_title, hash_text, split_words

Rows = NDArray[np.intp]
NO_ROWS: Rows = np.empty(0, np.intp)
MAX_NAMESAKES = 500
"""People who share a part of a name and are still looked up; more of them are nobody in particular."""
PROMINENCE = 0.5
"""Items of a person, as a share of those of the namesake with the most, from which the name means them too:
"hanks" is Tom Hanks (44 items of the demo), not Colin Hanks (12). A choice."""


@dataclass(frozen=True, slots=True, eq=False)
class PeopleIndex:
    """people: sorted hashes [P] of the compact names of people, one for each of their items; rows [P].

    parts: sorted hashes [S] of the parts of names; part_people [S]: the hash of the name of each.
    """

    people: Hashes
    rows: NDArray[np.int32]
    parts: Hashes
    part_people: Hashes

    def find(self, typed: TitleKeys) -> Rows:
        """Returns the distinct rows of the items of a person with this whole name."""
        return sort_distinct(find_hash(self.people, self.rows, typed.compact_hash))

    def find_by_part(self, typed: TitleKeys) -> Rows:
        """Returns the distinct rows of the items of the best-known people with this surname or first name."""
        first, counts = self._find_namesakes(typed)
        if not len(first):
            return NO_ROWS
        is_prominent = counts >= PROMINENCE * counts.max()
        return sort_distinct(self._gather(first[is_prominent], counts[is_prominent]))

    def find_rare_name(self, typed: TitleKeys, limit: float) -> Rows:
        """Returns the rows of the items of everybody with this surname or first name, with repeats; none if
        there are as many as `limit`.
        """
        first, counts = self._find_namesakes(typed)
        return self._gather(first, counts) if counts.sum() < limit else NO_ROWS

    def _find_namesakes(self, typed: TitleKeys) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Returns for each person of whose name the text is a part where their rows begin, and how many."""
        people = find_hash(self.parts, self.part_people, typed.compact_hash)
        if not 0 < len(people) <= MAX_NAMESAKES:
            return NO_ROWS, NO_ROWS
        people = sort_distinct(people)
        first = self.people.searchsorted(people)
        return first, self.people.searchsorted(people, "right") - first

    def _gather(self, first: NDArray[np.intp], counts: NDArray[np.intp]) -> Rows:
        ends = np.cumsum(counts)
        positions = np.arange(int(counts.sum())) + np.repeat(first - (ends - counts), counts)
        return np.asarray(self.rows[positions], np.intp)


def find_hash(keys: Hashes, values: NDArray[Any], key: int) -> NDArray[Any]:
    """Returns the values of a key among sorted keys."""
    first = int(keys.searchsorted(np.uint64(key)))
    if first == len(keys) or keys[first] != key:
        return values[:0]
    return values[first : int(keys.searchsorted(np.uint64(key), "right"))]


def build_people(people: Sequence[tuple[str, ...]]) -> dict[str, NDArray[Any]]:
    """Returns the columns of a PeopleIndex for the people of each row, as a TitleIndex names them."""
    pairs = [(row, name) for row, names in enumerate(people) for name in names]
    hashes = {name: hash_text(compact_title(name)) for name in dict.fromkeys(name for _, name in pairs)}
    keys = np.array([hashes[name] for _, name in pairs], np.uint64)
    order = np.argsort(keys, kind="stable")
    return {
        "people": keys[order],
        "people_rows": np.array([row for row, _ in pairs], np.int32)[order],
        **_build_parts(hashes),
    }


def _build_parts(hashes: Mapping[str, int]) -> dict[str, NDArray[Any]]:
    pairs = [(hash_text(part), person) for name, person in hashes.items() for part in list_parts(name)]
    parts = np.array([part for part, _ in pairs], np.uint64)
    order = np.argsort(parts, kind="stable")
    return {"parts": parts[order], "part_people": np.array([person for _, person in pairs], np.uint64)[order]}


def list_parts(name: str) -> list[str]:
    """Returns the compact parts of a name: from each word but the first to its end, and the first word."""
    words = split_words(fold_text(name))
    if len(words) < 2:
        return []
    endings = ["".join(words[start:]) for start in range(1, len(words))]
    return list(dict.fromkeys([*endings, words[0]]))
