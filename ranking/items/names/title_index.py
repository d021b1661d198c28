"""The title index: whole titles and their beginnings found by key, and misspelt words corrected.

It is built with the item table of one index version and mapped from disk like it. Its results are the same
with every engine.
"""

from bisect import bisect_left
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reelrank.index_mappings.item import Item
from reelrank.ranking.items.names.title_keys import (
    ARTICLES,
    Hashes,
    TitleKeys,
    canonicalize_title,
    compact_title,
    hash_text,
    hash_texts,
)
from reelrank.ranking.items.names.title_words import build_title_words
from reelrank.ranking.items.spelling.vocabulary import Vocabulary, VocabularyBuilder

Rows = NDArray[np.intp]
LEADING_ARTICLES = ("the", "a", "an")
"""Articles that people leave out when they begin to type a title."""
MIN_PREFIX = 3
"""Letters of a query from which titles that begin with it are looked up."""
MIN_CORRECTED = 4
"""Letters of a word from which a misspelling is looked for; a shorter word has too many neighbours."""
MAX_EDITS = 2
"""Most edits of a misspelt word; the second from eight letters (`vocabulary.py`)."""
MAX_CORRECTED_WORDS = 8
"""Words of a query that are corrected, the first ones: about 1 ms each in a vocabulary of 400,000 words."""
MAX_COMBINATIONS = 64
"""Spellings of a query that are tried: bounds the cost of a query of many misspelt words."""
MAX_MISSPELT_COUNT = 5
"""Most items with a word that is still taken for a misspelling of another; a correction costs about 1 ms."""
YEAR_TOLERANCE = 1
"""Years between what people type and what a catalogue states: release dates differ between countries."""
NO_ROWS: Rows = np.empty(0, np.intp)


@dataclass(frozen=True, slots=True, eq=False)
class TitleIndex:
    """Columns over N titles and W words.

    compact, canonical: sorted hashes [N] of the keys of titles, and the row of each (`title_keys`).
    texts: compact titles, sorted and joined, in UTF-8; offsets [N + 1] into them; text_rows [N].
    people: sorted hashes [P] of the compact names of people, one for each of their items; people_rows [P].
    words, word_counts, word_marks: the columns of the vocabulary.
    """

    compact: Hashes
    compact_rows: NDArray[np.int32]
    canonical: Hashes
    canonical_rows: NDArray[np.int32]
    texts: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    text_rows: NDArray[np.int32]
    people: Hashes
    people_rows: NDArray[np.int32]
    words: NDArray[np.bytes_]
    word_counts: NDArray[np.int32]
    word_marks: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.compact)

    @property
    def vocabulary(self) -> Vocabulary:
        return Vocabulary(self.words, self.word_counts, self.word_marks)

    def find_titles(self, typed: TitleKeys, year: NDArray[np.int16]) -> Rows:
        """Returns the rows whose whole title was typed. year: of each row.

        Case, accents and punctuation do not count. If no title agrees, the leading article, "part" and
        the form of numerals do not count either. Last, a year at the end selects titles of about that year.
        """
        for keys, rows, key in (
            (self.compact, self.compact_rows, typed.compact_hash),
            (self.canonical, self.canonical_rows, typed.canonical_hash),
        ):
            if len(found := _find(keys, rows, key)):
                return found
        if typed.year is None:
            return NO_ROWS
        found = _find(self.canonical, self.canonical_rows, typed.bare_hash)
        return found[np.abs(year[found].astype(np.int64) - typed.year) <= YEAR_TOLERANCE]

    def find_other_forms(self, typed: TitleKeys) -> Rows:
        """Returns the rows whose whole title was typed, but for its article, "part" or numerals."""
        return _find(self.canonical, self.canonical_rows, typed.canonical_hash)

    def find_beginnings(self, typed: TitleKeys, limit: int) -> Rows:
        """Returns at most `limit` rows whose compact title begins with the text, the shortest titles first.

        The article of a title need not be typed. One whole word is a query by itself ("war"), not a title
        that is half typed: it gives none.
        """
        if len(typed.compact) < MIN_PREFIX or (len(typed.words) == 1 and self.count_words(typed.words)[0]):
            return NO_ROWS
        articles = () if typed.words[:1] and typed.words[0] in ARTICLES else LEADING_ARTICLES
        ranges = [self._find_range(article + typed.compact) for article in ("", *articles)]
        positions = np.concatenate([np.arange(first, last) for first, last in ranges])
        lengths = self.offsets[positions + 1] - self.offsets[positions]
        shortest = positions[np.argsort(lengths, kind="stable")[:limit]]
        return np.asarray(self.text_rows[shortest], np.intp)

    def _find_range(self, start: str) -> tuple[int, int]:
        """Returns the range of positions in `texts` of titles that begin with a compact text."""
        encoded = start.encode("utf-8", "surrogatepass")
        first = bisect_left(range(len(self)), encoded, key=self.get_text)
        return first, bisect_left(range(len(self)), encoded + b"\xff", lo=first, key=self.get_text)

    def find_people(self, typed: TitleKeys) -> Rows:
        """Returns the distinct rows of the items of a person with this whole name."""
        return np.unique(_find(self.people, self.people_rows, typed.compact_hash))

    def correct(
        self, words: Sequence[str], shortest: int = MIN_CORRECTED, known: Container[str] = ()
    ) -> list[str]:
        """Returns texts with the unknown words replaced by known ones, nearest first, then most frequent.

        shortest: letters from which a word is corrected. known: words that are right though no item holds
        them. An unknown word without a known neighbour stays. Empty when there is nothing to replace.
        """
        choices = [[word] for word in words]
        for position in self._choose_positions(words, 0, 0, shortest):
            if words[position] not in known:
                choices[position] = self.vocabulary.correct(words[position], MAX_EDITS) or [words[position]]
        spellings = (list(spelling) for spelling in product(*choices))
        return [
            " ".join(spelling) for spelling in islice(spellings, MAX_COMBINATIONS) if spelling != list(words)
        ]

    def respell(self, words: Sequence[str]) -> list[str]:
        """Returns texts with one rare word replaced by a known one: a misspelling may be a word itself."""
        return [
            " ".join((*words[:position], correction, *words[position + 1 :]))
            for position in self._choose_positions(words, 1, MAX_MISSPELT_COUNT)
            for correction in self.vocabulary.correct(words[position], 1)
        ]

    def count_words(self, words: Sequence[str]) -> NDArray[np.int32]:
        """Returns how many items hold each of these folded words [n]."""
        return self.vocabulary.count(words)

    def _choose_positions(
        self, words: Sequence[str], low: int, high: int, shortest: int = MIN_CORRECTED
    ) -> list[int]:
        """Returns the positions of the words to correct: those that `low` to `high` items hold."""
        return [
            position
            for position, count in enumerate(self.count_words(words).tolist())
            if low <= count <= high and shortest <= len(words[position])
        ][:MAX_CORRECTED_WORDS]

    def get_text(self, position: int) -> bytes:
        return bytes(self.texts[self.offsets[position] : self.offsets[position + 1]])


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
        people = [
            (row, name) for row, position in enumerate(order.tolist()) for name in self._people[position]
        ]
        names = {name: hash_text(compact_title(name)) for name in {name for _, name in people}}
        return {
            **_sort_keys("compact", hash_texts(map(compact_title, titles))),
            **_sort_keys("canonical", hash_texts(map(canonicalize_title, titles))),
            **_sort_keys(
                "people",
                np.array([names[name] for _, name in people], np.uint64),
                np.array([row for row, _ in people], np.int32),
            ),
            **_build_texts(titles),
            **self._vocabulary.build(),
        }

    def build_words(self, order: NDArray[np.intp]) -> dict[str, NDArray[Any]]:
        """Returns the columns of TitleWords in the same order."""
        return build_title_words([self._titles[position] for position in order.tolist()])


def _build_texts(titles: Sequence[str]) -> dict[str, NDArray[Any]]:
    texts = [compact_title(title).encode("utf-8", "surrogatepass") for title in titles]
    order = sorted(range(len(texts)), key=texts.__getitem__)
    lengths = np.array([len(texts[row]) for row in order], np.int64)
    return {
        "texts": np.frombuffer(b"".join(texts[row] for row in order), np.uint8),
        "offsets": np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)]),
        "text_rows": np.array(order, np.int32),
    }


def _sort_keys(name: str, hashes: Hashes, rows: NDArray[np.int32] | None = None) -> dict[str, NDArray[Any]]:
    order = np.argsort(hashes, kind="stable").astype(np.int32)
    return {name: hashes[order], f"{name}_rows": order if rows is None else rows[order]}


def _find(keys: Hashes, rows: NDArray[np.int32], key: int) -> Rows:
    first, last = (
        np.searchsorted(keys, np.uint64(key), "left"),
        np.searchsorted(keys, np.uint64(key), "right"),
    )
    return rows[first:last].astype(np.intp)
