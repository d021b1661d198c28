"""What a query describes in place of naming it: a genre in a language, and years beside other words."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from reelrank.index_mappings.text import STOP_WORDS, fold_text
from reelrank.ranking.items.names.title_keys import split_words, strip_plural

DECADE_WORDS = {
    "twenties": 1920, "thirties": 1930, "forties": 1940, "fifties": 1950, "sixties": 1960,
    "seventies": 1970, "eighties": 1980, "nineties": 1990,
}  # fmt: skip
CONNECTORS = frozenset({*STOP_WORDS, "from", "during"})
"""Words between what is searched and the years: "horror from the 80s"."""
MAX_NAMES = 1024
"""Names of genres and languages whose words are remembered: each search compares itself with all of them."""
RECENT_DECADES = ("0", "1")
"""First digits of 00s and 10s, which are of this century; 20s to 90s are of the last."""
_DECADE = re.compile(r"(18|19|20|)(\d)0s")
_YEAR = re.compile(r"(?:18|19|20)\d\d")


@dataclass(frozen=True, slots=True)
class TypedGroup:
    """The genre that all words of a text name, and the language beside it; empty where there is none."""

    genre: str
    language: str = ""


@dataclass(frozen=True, slots=True)
class TypedYears:
    """words: the query without its years. written: the years as typed. first, last: both included."""

    words: str
    written: str
    first: int
    last: int


def find_group(text: str, genres: Sequence[str], languages: Sequence[str]) -> TypedGroup | None:
    """Returns the group that all words of a text name: "horror", "french comedies", "comedy in french"."""
    words = tuple(strip_plural(word) for word in split_words(fold_text(text)) if word not in CONNECTORS)
    names = {_split_name(genre): genre for genre in genres}
    if genre := names.get(words):
        return TypedGroup(genre)
    for language in languages if len(words) > 1 else ():
        spoken = _split_name(language)
        size = len(spoken)
        for rest in [words[size:]] * (words[:size] == spoken) + [words[:-size]] * (words[-size:] == spoken):
            if genre := names.get(rest):
                return TypedGroup(genre, language)
    return None


def find_years(text: str, genres: Sequence[str], year: NDArray[np.int16]) -> TypedYears | None:
    """Returns the years that a text asks for; None without any, without other words, or without such items.

    year [N]: of the items. A single year counts beside a genre only: "2001" may be part of a title.
    """
    words = split_words(fold_text(text))
    spans = {n: span for n, word in enumerate(words) if (span := _read_span(word)) is not None}
    if len(spans) != 1:
        return None
    (position, (first, last)), *_ = spans.items()
    before, after = words[:position], words[position + 1 :]
    while before and before[-1] in CONNECTORS:
        before.pop()
    rest = " ".join([*before, *after])
    if not rest or (first == last and find_group(rest, genres, ()) is None):
        return None
    return (
        TypedYears(rest, words[position], first, last) if ((year >= first) & (year <= last)).any() else None
    )


def _read_span(word: str) -> tuple[int, int] | None:
    """Returns the first and the last year that a folded word stands for."""
    if match := _DECADE.fullmatch(word):
        century = match[1] or ("20" if match[2] in RECENT_DECADES else "19")
        start = int(f"{century}{match[2]}0")
        return start, start + 9
    if word in DECADE_WORDS:
        return DECADE_WORDS[word], DECADE_WORDS[word] + 9
    return (int(word), int(word)) if _YEAR.fullmatch(word) else None


@lru_cache(maxsize=MAX_NAMES)
def _split_name(name: str) -> tuple[str, ...]:
    return tuple(strip_plural(word) for word in split_words(fold_text(name)))
