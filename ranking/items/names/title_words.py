"""The words of each title by row, and how well the titles of given rows agree with a typed text.

All of it is computed for many rows at once, from columns of the title index.
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reelrank.index_mappings.text import fold_text, prepare_text
from reelrank.ranking.items.names.title_keys import (
    compact_title,
    hash_texts,
    split_words,
    strip_plural,
    write_digits,
)

Rows = NDArray[np.intp]
Floats = NDArray[np.float32]
MAX_QUERY_WORDS = 16
"""Words of a query that are compared, the first ones: a title has fewer."""
MAX_JOINED_WORDS = 3
"""First words of a title that may be typed without the blanks between them."""
MAX_LETTERS = 32
"""Bytes of a title and of a query that an edit distance compares. Its cost is their product for each title;
97 % of the demo's titles are shorter."""


@dataclass(frozen=True, slots=True, eq=False)
class TitleAgreement:
    """How titles [n] agree with a typed text.

    words: share of the typed words that the title holds. phrase: share of the pairs of neighbouring typed
    words that are neighbours in the title, NaN for one word. edits: letters to insert, delete or replace to
    turn the text into the title, as a share of the longer one; NaN where no word is shared. covered: share of
    the title's words that were typed.
    """

    words: Floats
    covered: Floats
    phrase: Floats
    edits: Floats


@dataclass(frozen=True, slots=True, eq=False)
class TitleWords:
    """Columns over N titles. offsets [N + 1]: ranges in hashes, the words of each title in their order.

    joined_offsets [N + 1]: ranges in joined, other ways of writing words of each title.
    letter_offsets [N + 1]: ranges in letters, the first MAX_LETTERS bytes of each compact title.
    """

    offsets: NDArray[np.int32]
    hashes: NDArray[np.uint32]
    joined_offsets: NDArray[np.int32]
    joined: NDArray[np.uint32]
    letter_offsets: NDArray[np.int32]
    letters: NDArray[np.uint8]

    def compare(self, rows: Rows, typed: str, spelling: str) -> TitleAgreement:
        """Compares the titles of rows >= 0. typed: as it was typed; spelling: misspelt words corrected."""
        wanted = _hash_words(split_title(spelling)[:MAX_QUERY_WORDS])
        words, owners = _gather(self.offsets, self.hashes, rows)
        joined, joined_owners = _gather(self.joined_offsets, self.joined, rows)
        all_words, all_owners = np.concatenate([words, joined]), np.concatenate([owners, joined_owners])
        shared = _compute_shared(wanted, all_words, all_owners, len(rows))
        text = np.frombuffer(_encode(compact_title(typed)), np.uint8)
        sharing = np.flatnonzero(shared > 0)
        edits = np.full(len(rows), np.nan, np.float32)
        edits[sharing] = self._compute_edits(rows[sharing], text)
        covered = _compute_covered(wanted, words, owners, len(rows))
        return TitleAgreement(shared, covered, _compute_phrase(wanted, words, owners, len(rows)), edits)

    def _compute_edits(self, rows: Rows, text: NDArray[np.uint8]) -> Floats:
        letters, owners = _gather(self.letter_offsets, self.letters, rows)
        lengths = self.letter_offsets[rows + 1] - self.letter_offsets[rows]
        starts = np.cumsum(lengths) - lengths
        block = np.zeros((int(lengths.max(initial=0)), len(rows)), np.uint8)
        block[np.arange(len(letters)) - starts[owners], owners] = letters
        distances = compute_edit_distances(text, block, lengths)
        longer = np.maximum(np.maximum(lengths, len(text)), 1).astype(np.float32)
        return np.asarray(distances / longer, np.float32)


def split_title(title: str) -> list[str]:
    """Returns the folded words of a title or a query, without plurals and with digits for numerals."""
    return [strip_plural(word) for word in write_digits(split_words(fold_text(title)))]


def _list_joined(title: str, words: Sequence[str]) -> list[str]:
    """Returns the words that people type for words of a title: "et" for "E.T.", "starwars"."""
    first = split_words(fold_text(title))[:MAX_JOINED_WORDS]
    joined = [strip_plural("".join(first[:end])) for end in range(2, len(first) + 1)]
    return [word for word in (*split_title(prepare_text(title)), *joined) if word not in words]


def build_title_words(titles: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Returns the columns of TitleWords for titles in the order of rows."""
    counts, lengths, hashes, letters = array("i"), array("i"), array("I"), bytearray()
    joined_counts, joined_hashes = array("i"), array("I")
    for title in titles:
        words, compact = split_title(title), _encode(compact_title(title))
        joined = _list_joined(title, words)
        joined_counts.append(len(joined))
        joined_hashes.extend(_hash_words(joined).tolist())
        counts.append(len(words))
        lengths.append(len(compact))
        hashes.extend(_hash_words(words).tolist())
        letters += compact
    return {
        "offsets": _build_offsets(counts),
        "hashes": np.frombuffer(hashes, np.uint32),
        "joined_offsets": _build_offsets(joined_counts),
        "joined": np.frombuffer(joined_hashes, np.uint32),
        "letter_offsets": _build_offsets(lengths),
        "letters": np.frombuffer(letters, np.uint8),
    }


def compute_edit_distances(
    text: NDArray[np.uint8], letters: NDArray[np.uint8], lengths: NDArray[np.integer]
) -> NDArray[np.uint8]:
    """Returns the Levenshtein distance [n] of a text [m] to n words, the columns of letters [longest, n].

    lengths [n]: of the words, whose other letters are not read. Cells on an anti-diagonal of the table do not
    depend on each other, so each is computed at once for all words.
    """
    typed, (longest, count) = len(text), letters.shape
    column = text[:, None]
    before, last = np.zeros((2, typed + 1, count), np.uint8)
    distances = np.full(count, typed, np.uint8)
    for diagonal in range(1, typed + longest + 1):
        low, high = max(0, diagonal - longest), min(typed, diagonal)
        cells = np.full((typed + 1, count), diagonal, np.uint8)  # right for the edges: all of one side
        first, end = max(low, 1), min(high, diagonal - 1) + 1
        if first < end:
            opposite = letters[diagonal - end : diagonal - first][::-1]
            step = np.minimum(last[first - 1 : end - 1], last[first:end]) + np.uint8(1)
            replaced = before[first - 1 : end - 1] + (column[first - 1 : end - 1] != opposite)
            np.minimum(step, replaced, out=cells[first:end])
        if high == typed:
            ends = lengths == diagonal - typed
            distances[ends] = cells[typed, ends]
        before, last = last, cells
    return distances


def _compute_shared(
    wanted: NDArray[np.uint32], words: NDArray[np.uint32], owners: Rows, count: int
) -> Floats:
    found = np.zeros((len(wanted), count), bool)
    for position, word in enumerate(wanted):
        found[position, owners[words == word]] = True
    return found.mean(axis=0).astype(np.float32) if len(wanted) else np.zeros(count, np.float32)


def _compute_covered(
    wanted: NDArray[np.uint32], words: NDArray[np.uint32], owners: Rows, count: int
) -> Floats:
    typed = np.bincount(owners, np.isin(words, wanted), minlength=count)
    return np.asarray(typed / np.maximum(np.bincount(owners, minlength=count), 1), np.float32)


def _compute_phrase(
    wanted: NDArray[np.uint32], words: NDArray[np.uint32], owners: Rows, count: int
) -> Floats:
    if len(wanted) < 2:
        return np.full(count, np.nan, np.float32)
    found = np.zeros((len(wanted) - 1, count), bool)
    same_title = owners[:-1] == owners[1:]
    for position in range(len(wanted) - 1):
        pairs = same_title & (words[:-1] == wanted[position]) & (words[1:] == wanted[position + 1])
        found[position, owners[:-1][pairs]] = True
    return np.asarray(found.mean(axis=0), np.float32)


def _gather(offsets: NDArray[np.int32], values: NDArray[Any], rows: Rows) -> tuple[NDArray[Any], Rows]:
    """Returns the values of all rows in a line, and for each the position of its row."""
    counts = (offsets[rows + 1] - offsets[rows]).astype(np.intp)
    owners = np.repeat(np.arange(len(rows)), counts)
    ends = np.cumsum(counts)
    positions = np.arange(len(owners)) + np.repeat(offsets[rows] - (ends - counts), counts)
    return values[positions], owners


def _hash_words(words: Sequence[str]) -> NDArray[np.uint32]:
    return hash_texts(words).astype(np.uint32)


def _encode(compact: str) -> bytes:
    return compact.encode("utf-8", "surrogatepass")[:MAX_LETTERS]


def _build_offsets(counts: Sequence[int]) -> NDArray[np.int32]:
    return np.concatenate([[0], np.cumsum(np.array(counts, np.int64))]).astype(np.int32)
