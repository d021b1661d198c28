"""Builder of the columns of a title index and of the words of titles."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reelrank.index_mappings.item import Item
from reelrank.ranking.items.names.people_index import build_people
from reelrank.ranking.items.names.sorted_texts import build_texts
from reelrank.ranking.items.names.title_keys import (
    Hashes,
    canonicalize_title,
    compact_title,
    hash_texts,
    list_acronyms,
)
from reelrank.ranking.items.names.title_words import build_title_words
from reelrank.ranking.items.spelling.vocabulary import VocabularyBuilder


class TitleIndexBuilder:
    """Takes items in any order; gives the columns of a TitleIndex in the order of rows.

    It needs some 200 MB for a million items: titles, names of people and a count of each word.
    """

    def __init__(self) -> None:
        self._titles: list[str] = []
        self._people: list[tuple[str, ...]] = []
        self._vocabulary = VocabularyBuilder()

    def add(self, items: Iterable[Item]) -> None:
        for item in items:
            self._titles.append(item.title)
            self._people.append(item.people)
            self._vocabulary.add(item)

    def build(self, order: NDArray[np.intp]) -> dict[str, NDArray[Any]]:
        """Returns the columns. order: the position, as added, of the item of each row."""
        titles = [self._titles[position] for position in order.tolist()]
        return {
            **_sort_keys("compact", hash_texts(map(compact_title, titles))),
            **_sort_keys("canonical", hash_texts(map(canonicalize_title, titles))),
            **_build_acronyms(titles),
            **build_people([self._people[position] for position in order.tolist()]),
            **build_texts(titles),
            **self._vocabulary.build(),
        }

    def build_words(self, order: NDArray[np.intp]) -> dict[str, NDArray[Any]]:
        """Returns the columns of TitleWords in the same order."""
        return build_title_words([self._titles[position] for position in order.tolist()])


def _sort_keys(name: str, hashes: Hashes) -> dict[str, NDArray[Any]]:
    order = np.argsort(hashes, kind="stable").astype(np.int32)
    return {name: hashes[order], f"{name}_rows": order}


def _build_acronyms(titles: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Returns the sorted hashes of the acronyms of titles and the row of each, as a TitleIndex names them."""
    pairs = [(acronym, row) for row, title in enumerate(titles) for acronym in list_acronyms(title)]
    hashes = hash_texts(acronym for acronym, _ in pairs)
    order = np.argsort(hashes, kind="stable")
    return {"acronyms": hashes[order], "acronyms_rows": np.array([row for _, row in pairs], np.int32)[order]}
