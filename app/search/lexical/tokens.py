"""Words of a displayed text with their places, compared as people type them: folded, without endings."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from reelrank.index_mappings.text import fold_text
from reelrank.ranking.items.names.title_keys import NUMBER_WORDS, ROMAN_NUMERALS, split_words

_MARKS = "\u0300-\u036f\u00ad\u200c-\u200f\u2060-\u2064\ufe00-\ufe0f\ufeff"
"""Accents that stand after their letter, and marks without a glyph: parts of the word around them."""
_TOKEN = re.compile(rf"[^\W_](?:[^\W_]|[{_MARKS}]|['\u2018\u2019\u02bc](?=[^\W_]))*")
_ENDINGS = ("ing", "ed", "es", "s")
"""English endings of one word. A highlight may be too generous, never misplaced."""
MIN_STEM = 3


@dataclass(frozen=True, slots=True)
class Token:
    """A word of a text. start, end: its characters, end excluded. word: folded. stem: also without ending."""

    start: int
    end: int
    word: str
    stem: str


def split_tokens(text: str) -> list[Token]:
    """Returns the tokens of a text in order; they do not overlap."""
    return [
        Token(match.start(), match.end(), word, stem)
        for match in _TOKEN.finditer(text)
        for word, stem in (_normalize(match[0]),)
        if word
    ]


def stem_words(words: Iterable[str]) -> set[str]:
    """Returns the stems of folded words."""
    return {_strip_ending(word) for word in words}


@lru_cache(maxsize=4096)
def _normalize(token: str) -> tuple[str, str]:
    word = "".join(split_words(fold_text(token)))
    return word, _strip_ending(word)


def _strip_ending(word: str) -> str:
    """Returns a stem that forms of an English word share; numerals as digits."""
    if number := ROMAN_NUMERALS.get(word) or NUMBER_WORDS.get(word):
        return number
    ending = next((e for e in _ENDINGS if word.endswith(e) and len(word) - len(e) >= MIN_STEM), "")
    stem = word.removesuffix(ending)
    if ending in ("ing", "ed") and stem[-1] == stem[-2] and stem[-1] not in "aeiouls":
        return stem[:-1]
    if len(stem) <= MIN_STEM:
        return stem
    return stem[:-1] + "i" if stem.endswith("y") else stem.removesuffix("e")
