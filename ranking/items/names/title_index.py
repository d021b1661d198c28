"""The title index: whole titles and their beginnings found by key, and misspelt words corrected.

It is built with the item table of one index version and mapped from disk like it. Its results are the same
with every engine.
"""

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from itertools import islice, product

import numpy as np
from numpy.typing import NDArray

from reelrank.ranking.items.names.people_index import NO_ROWS, PeopleIndex, Rows, find_hash
from reelrank.ranking.items.names.sorted_texts import SortedTexts
from reelrank.ranking.items.names.title_keys import ARTICLES, Hashes, TitleKeys, is_acronym, is_number
from reelrank.ranking.items.spelling.allowed_edits import MAX_CORRECTED_WORDS, MAX_EDITS, MIN_CORRECTED
from reelrank.ranking.items.spelling.vocabulary import MAX_CORRECTIONS, Vocabulary

Mask = NDArray[np.bool_]
LEADING_ARTICLES = ("the", "a", "an")
"""Articles that people leave out when they begin to type a title."""
MIN_PREFIX = 3
"""Letters of a query from which titles that begin with it are looked up."""
MAX_COMBINATIONS = 64
"""Spellings of a query that are tried: bounds the cost of a query of many misspelt words."""
MAX_MISSPELT_COUNT = 5
"""Most items with a word that is still taken for a misspelling of another; correcting more takes time."""
YEAR_TOLERANCE = 1
"""Years between what people type and what a catalogue states: release dates differ between countries."""


@dataclass(frozen=True, slots=True, eq=False)
class TitleIndex:
    """Columns over N titles and W words.

    compact, canonical: sorted hashes [N] of the keys of titles, and the row of each (`title_keys`).
    acronyms: sorted hashes of the initials of titles, and the row of each (`acronyms`).
    texts, offsets, heads: the columns of the sorted compact titles (`sorted_texts`); text_rows [N].
    people, people_rows, people_places, parts, part_people: the columns of the people (`people_index`).
    words, word_counts, word_title_counts, word_marks: the columns of the vocabulary.
    """

    compact: Hashes
    compact_rows: NDArray[np.int32]
    canonical: Hashes
    canonical_rows: NDArray[np.int32]
    acronyms: Hashes
    acronyms_rows: NDArray[np.int32]
    texts: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    heads: NDArray[np.uint64]
    text_rows: NDArray[np.int32]
    people: Hashes
    people_rows: NDArray[np.int32]
    people_places: NDArray[np.uint8]
    parts: Hashes
    part_people: Hashes
    words: NDArray[np.bytes_]
    word_counts: NDArray[np.int32]
    word_title_counts: NDArray[np.int32]
    word_marks: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.compact)

    @property
    def vocabulary(self) -> Vocabulary:
        return Vocabulary(self.words, self.word_counts, self.word_title_counts, self.word_marks)

    @property
    def credits(self) -> PeopleIndex:
        return PeopleIndex(self.people, self.people_rows, self.people_places, self.parts, self.part_people)

    @property
    def sorted_texts(self) -> SortedTexts:
        return SortedTexts(self.texts, self.offsets, self.heads)

    def find_titles(self, typed: TitleKeys, year: NDArray[np.int16]) -> Rows:
        """Returns the rows whose whole title was typed. year: of each row.

        Case, accents and punctuation do not count. If no title agrees, the leading article, "part" and
        the form of numerals do not count either. Last, a year at the end selects titles of about that year.
        """
        for keys, rows, key in (
            (self.compact, self.compact_rows, typed.compact_hash),
            (self.canonical, self.canonical_rows, typed.canonical_hash),
        ):
            if len(found := _find_rows(keys, rows, key)):
                return found
        if typed.year is None:
            return NO_ROWS
        found = _find_rows(self.canonical, self.canonical_rows, typed.bare_hash)
        return found[np.abs(year[found].astype(np.int64) - typed.year) <= YEAR_TOLERANCE]

    def find_names(self, typed: Sequence[TitleKeys]) -> NDArray[np.bool_]:
        """Returns whether each text [n] may be a whole title or a whole name of a person.

        It looks all of them up at once, and does not compare years.
        """
        return np.asarray(
            _contains(self.compact, [keys.compact_hash for keys in typed])
            | _contains(self.canonical, [keys.canonical_hash for keys in typed])
            | _contains(self.canonical, [keys.bare_hash for keys in typed])
            | _contains(self.people, [keys.compact_hash for keys in typed])
            | _contains(self.people, [keys.bare_hash for keys in typed])
        )

    def find_other_forms(self, typed: TitleKeys) -> Rows:
        """Returns the rows whose whole title was typed, but for its article, "part" or numerals."""
        return _find_rows(self.canonical, self.canonical_rows, typed.canonical_hash)

    def find_acronym(self, typed: TitleKeys) -> Rows:
        """Returns the rows whose title has these initials; none for a word that an item holds."""
        if len(typed.words) != 1 or not is_acronym(typed.compact) or self.count_words(typed.words)[0]:
            return NO_ROWS
        return _find_rows(self.acronyms, self.acronyms_rows, typed.compact_hash)

    def find_beginnings(self, typed: TitleKeys, limit: int) -> Rows:
        """Returns at most `limit` rows whose compact title begins with the text, the shortest titles first.

        One whole word is a query by itself ("war"), not a title that is half typed: it gives none.
        """
        if len(typed.words) == 1 and self.count_words(typed.words)[0]:
            return NO_ROWS
        return self._take_shortest(self._find_beginnings(typed), limit)

    def find_beginnings_of(self, typed: TitleKeys, is_wanted: Callable[[Rows], Mask], limit: int) -> Rows:
        """Returns at most `limit` of the wanted rows whose title begins with the text, the shortest first."""
        positions = self._find_beginnings(typed)
        return self._take_shortest(positions[is_wanted(self.text_rows[positions].astype(np.intp))], limit)

    def _find_beginnings(self, typed: TitleKeys) -> NDArray[np.intp]:
        """Returns the positions in the order of texts; the article of a title need not be typed."""
        if len(typed.compact) < MIN_PREFIX:
            return NO_ROWS
        articles = () if typed.words[:1] and typed.words[0] in ARTICLES else LEADING_ARTICLES
        starts = [(article + typed.compact).encode("utf-8", "surrogatepass") for article in ("", *articles)]
        ranges = self.sorted_texts.find_ranges(starts)
        return np.concatenate([np.arange(first, last) for first, last in ranges])

    def _take_shortest(self, positions: NDArray[np.intp], limit: int) -> Rows:
        lengths = self.offsets[positions + 1] - self.offsets[positions]
        shortest = positions[np.argsort(lengths, kind="stable")[:limit]]
        return np.asarray(self.text_rows[shortest], np.intp)

    def correct(
        self, words: Sequence[str], shortest: int = MIN_CORRECTED, known: Container[str] = ()
    ) -> list[str]:
        """Returns texts with the unknown words replaced by known ones, nearest first, then most frequent.

        shortest: letters from which a word is corrected. known: words that are right though no item holds
        them. An unknown word without a known neighbour stays. Empty when there is nothing to replace.
        """
        choices = [[word] for word in words]
        unknown = [n for n in self._choose_positions(words, 0, 0, shortest) if words[n] not in known]
        limit = MAX_CORRECTIONS if len(unknown) == 1 else MAX_CORRECTIONS // 4
        for position in unknown:
            most = 1 if self.vocabulary.knows_plural(words[position]) else MAX_EDITS
            choices[position] = self.vocabulary.correct(words[position], most, limit) or [words[position]]
        spellings = (list(spelling) for spelling in product(*choices))
        return [
            " ".join(spelling) for spelling in islice(spellings, MAX_COMBINATIONS) if spelling != list(words)
        ]

    def respell(self, words: Sequence[str]) -> list[str]:
        """Returns texts with one rare word replaced: a misspelling may be a known word itself."""
        return [
            " ".join((*words[:position], correction, *words[position + 1 :]))
            for position in self._choose_positions(words, 1, MAX_MISSPELT_COUNT)
            for correction in self.vocabulary.correct(words[position], 1, MAX_CORRECTIONS // 4)
        ]

    def count_words(self, words: Sequence[str]) -> NDArray[np.int32]:
        """Returns how many items hold each of these folded words [n]."""
        return self.vocabulary.count(words)

    def is_title_word(self, typed: TitleKeys, uses: float) -> bool:
        """Returns whether more titles than `uses` hold each word of a text where no person has that name."""
        return bool(typed.words) and bool(self.vocabulary.count_titles(typed.words).min() > uses)

    def _choose_positions(
        self, words: Sequence[str], low: int, high: int, shortest: int = MIN_CORRECTED
    ) -> list[int]:
        """Returns the positions of the words to correct: those that `low` to `high` items hold.

        Another number is not a correction: 1977 is not a misspelt 1975.
        """
        return [
            position
            for position, count in enumerate(self.count_words(words).tolist())
            if low <= count <= high and shortest <= len(words[position]) and not is_number(words[position])
        ][:MAX_CORRECTED_WORDS]


def _find_rows(keys: Hashes, rows: NDArray[np.int32], key: int) -> Rows:
    return find_hash(keys, rows, key).astype(np.intp)


def _contains(keys: Hashes, wanted: Sequence[int]) -> NDArray[np.bool_]:
    """Returns whether each hash [n] is among the sorted keys."""
    hashes = np.array(wanted, np.uint64)
    if not len(keys) or not wanted:
        return np.zeros(len(hashes), bool)
    return np.asarray(keys[np.minimum(keys.searchsorted(hashes), len(keys) - 1)] == hashes)
