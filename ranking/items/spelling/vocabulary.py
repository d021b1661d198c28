"""The vocabulary: every word that items can be found by, with the number of items that hold it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import OSA
from rapidfuzz.process import cdist

from reelrank.index_mappings.item import Item
from reelrank.index_mappings.text import fold_text, prepare_text
from reelrank.ranking.items.names.title_keys import split_words, strip_plural
from reelrank.ranking.items.spelling.allowed_edits import MAX_EDITS, count_allowed_edits

WORD_BYTES = 32
"""Bytes of a word that are kept: longer words count as equal if these are, and are never proposed."""
WORD_DTYPE = np.dtype(f"S{WORD_BYTES}")
MAX_CORRECTIONS = 24
"""Corrections of one word that are given at most, the most frequent first: the right one may be rare."""


@dataclass(frozen=True, slots=True, eq=False)
class Vocabulary:
    """Columns over W folded words in the order of their bytes.

    words [W] of WORD_DTYPE; counts [W]: items that hold each; title_counts [W]: items that hold it in their
    title and in no name of a person; marks [W]: a bit for each letter in it.
    """

    words: NDArray[np.bytes_]
    counts: NDArray[np.int32]
    title_counts: NDArray[np.int32]
    marks: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.words)

    def count(self, words: Sequence[str]) -> NDArray[np.int32]:
        """Returns how many items hold each of these folded words [n]."""
        return self._look_up(words, self.counts)

    def count_titles(self, words: Sequence[str]) -> NDArray[np.int32]:
        """Returns how many items hold each of these words [n] in their title and in no name of a person."""
        return self._look_up(words, self.title_counts)

    def knows_plural(self, word: str) -> bool:
        """Returns whether items hold the singular or the plural of a word."""
        stem = strip_plural(word)
        if stem == word and not word.isalpha():
            return False
        forms = [stem[:-1] + ending for ending in ("y", "ie", "ies")] if stem.endswith("i") else []
        return bool(self.count([*forms, *(stem + ending for ending in ("", "e", "s", "es"))]).any())

    def _look_up(self, words: Sequence[str], column: NDArray[np.int32]) -> NDArray[np.int32]:
        if not len(self) or not words:
            return np.zeros(len(words), np.int32)
        keys = np.array([_encode(word) for word in words], WORD_DTYPE)
        positions = np.minimum(np.searchsorted(self.words, keys), len(self) - 1)
        return np.where(self.words[positions] == keys, column[positions], 0).astype(np.int32)

    def correct(self, word: str, most: int = MAX_EDITS, limit: int = MAX_CORRECTIONS) -> list[str]:
        """Returns at most `limit` words with the fewest edits, most frequent first.

        The first letter is taken as right. A second edit is tried if `count_allowed_edits` allows it and no
        word is one edit away. most: edits, where fewer are allowed than there.
        """
        key = word.encode("utf-8", "surrogatepass")
        if not 1 < len(key) < WORD_BYTES:
            return []
        for edits in range(1, 1 + count_allowed_edits(word, most)):
            if len(found := self._find_near(key, edits)):
                best = found[np.argsort(-self.counts[found], kind="stable")][:limit]
                return [_decode(word) for word in self.words[best].tolist()]
        return []

    def complete(self, start: str, limit: int) -> list[str]:
        """Returns at most `limit` words that begin with `start`, most frequent first, without itself."""
        key = _encode(start)
        first, last = np.searchsorted(self.words, np.array([key, key + b"\xff"], WORD_DTYPE))
        words = self.words[first:last]
        found = np.flatnonzero((words != key) & (np.strings.str_len(words) < WORD_BYTES)) + first
        best = found[np.argsort(-self.counts[found], kind="stable")][:limit]
        return [_decode(word) for word in self.words[best].tolist()]

    def _find_near(self, key: bytes, edits: int) -> NDArray[np.intp]:
        """Returns the positions of the words within `edits` of a word, and of none equal to it.

        An edit inserts, deletes or substitutes a letter, or transposes two neighbours (optimal string
        alignment; Damerau 1964). It changes at most two of a word's letters, which excludes most words
        without looking at them.
        """
        first, last = np.searchsorted(self.words, np.array([key[:1], key[:1] + b"\xff"], WORD_DTYPE))
        marks = _mark(np.array([key], WORD_DTYPE))[0]
        differing = np.bitwise_count(self.marks[first:last] ^ marks)
        positions = np.flatnonzero(differing <= 2 * edits) + first
        words = self.words[positions].tolist()
        distances = cdist([key], words, scorer=OSA.distance, score_cutoff=edits, dtype=np.uint8)[0]
        found = positions[(distances > 0) & (distances <= edits)]
        return np.asarray(found[np.strings.str_len(self.words[found]) < WORD_BYTES], np.intp)


WORDS_PER_CHUNK = 4096
"""Words whose letters become bits at a time, 8 bytes a letter: 2 MB."""


class VocabularyBuilder:
    """Counts in how many items each word occurs."""

    def __init__(self) -> None:
        self._counts: Counter[bytes] = Counter()
        self._title_counts: Counter[bytes] = Counter()

    def add(self, item: Item) -> None:
        """Adds the words of an item, as they are written and as they are prepared for an index."""
        text = " ".join((item.title, *item.people, *item.genres, *item.tags, item.description))
        prepared = prepare_text(text)
        words = split_words(fold_text(text if prepared == text else f"{text} {prepared}"))
        self._counts.update({_encode(word) for word in words})
        names = split_words(fold_text(" ".join(item.people)))
        titled = set(split_words(fold_text(item.title))).difference(names)
        self._title_counts.update(map(_encode, titled))

    def build(self) -> dict[str, NDArray[Any]]:
        """Returns the columns of a Vocabulary, as a TitleIndex names them."""
        words = np.array(sorted(self._counts), WORD_DTYPE)
        return {
            "words": words,
            "word_counts": np.array([self._counts[word] for word in words.tolist()], np.int32),
            "word_title_counts": np.array([self._title_counts[word] for word in words.tolist()], np.int32),
            "word_marks": _mark(words),
        }


def _mark(words: NDArray[np.bytes_]) -> NDArray[np.uint64]:
    """Returns a bit for each letter that occurs in a word [n]; rare letters share bits."""
    letters = np.ascontiguousarray(words).view(np.uint8).reshape(len(words), WORD_BYTES)
    marks = np.empty(len(words), np.uint64)
    for start in range(0, len(words), WORDS_PER_CHUNK):
        part = letters[start : start + WORDS_PER_CHUNK]
        bits = np.where(part > 0, np.uint64(1) << (part & 63).astype(np.uint64), np.uint64(0))
        marks[start : start + WORDS_PER_CHUNK] = np.bitwise_or.reduce(bits, axis=1)
    return marks


def _encode(word: str) -> bytes:
    return word.encode("utf-8", "surrogatepass")[:WORD_BYTES]


def _decode(word: bytes) -> str:
    return word.decode("utf-8", "replace")
