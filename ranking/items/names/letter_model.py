"""The letter model: how much a text looks like words of the catalogue, from sequences of three letters.

It tells unknown words ("abdominal") from gibberish ("zzzzqqq"), which the cosine of a text encoder does not:
random letters are nearer to some item than most real words are (decision record 29).
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reelrank.index_mappings.text import fold_text
from reelrank.ranking.items.names.title_keys import split_words

SYMBOLS = 27
"""a to z, and 0 for the edge of a word. Other letters are skipped."""
SMOOTHING = 5.0
"""Pseudo-counts that three letters get from the model of two, and two from that of one. A choice."""
EDGES = "\0\0"
OTHER_BYTES = bytes(sorted(set(range(256)) - {0, *range(ord("a"), ord("z") + 1)}))


@dataclass(frozen=True, slots=True, eq=False)
class LetterModel:
    """How likely letters follow each other.

    bits [27, 27, 27]: log2 of the probability of a letter after two others.
    """

    bits: NDArray[np.float32]

    def rate(self, text: str) -> float:
        """Returns the mean bits of a letter in the most likely word: about -3 for words, -8 for gibberish.

        A text of digits alone has minus infinity; one of other scripts has 0, because nothing is known of it.
        """
        words = split_words(fold_text(text))
        coded = [codes for word in words if (codes := _encode_words([word])).any()]
        if coded:
            return max(self._rate_word(codes[:-1]) for codes in coded)
        return -math.inf if words and all(word.isdecimal() for word in words) else 0.0

    def _rate_word(self, codes: NDArray[np.intp]) -> float:
        return float(self.bits[codes[:-2], codes[1:-1], codes[2:]].mean())


def build_letter_model(words: Iterable[str]) -> NDArray[np.float32]:
    """Returns the bits of a LetterModel over folded words."""
    codes = _encode_words(words)
    counts = np.zeros((SYMBOLS, SYMBOLS, SYMBOLS))
    np.add.at(counts, (codes[:-2], codes[1:-1], codes[2:]), 1)
    counts[:, 0, 0] = 0  # from one word to the next
    pairs = counts.sum(axis=0)
    singles = pairs.sum(axis=0) + 1
    pair_shares = _smooth(pairs, singles / singles.sum())
    return np.log2(_smooth(counts, pair_shares)).astype(np.float32)


def _smooth(counts: NDArray[np.float64], shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the shares of counts over the last axis, with SMOOTHING pseudo-counts of the given shares."""
    total: NDArray[np.float64] = counts.sum(axis=-1, keepdims=True)
    return (counts + SMOOTHING * shares) / (total + SMOOTHING)


def _encode_words(words: Iterable[str]) -> NDArray[np.intp]:
    """Returns the letters of words as 1 to 26, with two edges before each word and after the last."""
    text = EDGES.join(("", *words, "")).encode("ascii", "ignore").translate(None, OTHER_BYTES)
    codes = np.frombuffer(text, np.uint8).astype(np.intp)
    return np.where(codes > 0, codes - ord("a") + 1, 0)
