"""Years that a query asks for beside its words: a decade ("horror 80s"), or a genre and a year."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

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
RECENT_DECADES = ("0", "1")
"""First digits of 00s and 10s, which are of this century; 20s to 90s are of the last."""
_DECADE = re.compile(r"(18|19|20|)(\d)0s")
_YEAR = re.compile(r"(?:18|19|20)\d\d")


@dataclass(frozen=True, slots=True)
class TypedYears:
    """words: the query without its years. written: the years as typed. first, last: both included.

    genre: the one that the other words name, empty for other words.
    """

    words: str
    written: str
    first: int
    last: int
    genre: str = ""


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
    rest = [*before, *after]
    genre = next((genre for genre in genres if _split_genre(genre) == [*map(strip_plural, rest)]), "")
    if not rest or (first == last and not genre) or not ((year >= first) & (year <= last)).any():
        return None
    return TypedYears(" ".join(rest), words[position], first, last, genre)


def _read_span(word: str) -> tuple[int, int] | None:
    """Returns the first and the last year that a folded word stands for."""
    if match := _DECADE.fullmatch(word):
        century = match[1] or ("20" if match[2] in RECENT_DECADES else "19")
        start = int(f"{century}{match[2]}0")
        return start, start + 9
    if word in DECADE_WORDS:
        return DECADE_WORDS[word], DECADE_WORDS[word] + 9
    return (int(word), int(word)) if _YEAR.fullmatch(word) else None


def _split_genre(genre: str) -> list[str]:
    return [strip_plural(word) for word in split_words(fold_text(genre))]
