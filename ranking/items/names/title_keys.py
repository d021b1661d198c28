"""Title keys: what two ways of typing one title have in common, as hashes.

People type titles in capitals, without accents, punctuation or the leading article, and with 2 for II. The
same functions fold the titles of the catalogue and the query: equal keys mean that the whole title was typed.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from reelrank.index_mappings.text import fold_text

Hashes = NDArray[np.uint64]

CACHED_KEYS = 256
"""Texts whose keys are kept: those of a request and the spellings that are tried for it."""
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
ARTICLES = frozenset({"the", "a", "an", "l", "d"})
"""Leading words that people leave out; l and d are elided ones (L'avventura), typed with a space."""
ROMAN_NUMERALS = {
    "ii": "2", "iii": "3", "iv": "4", "v": "5", "vi": "6", "vii": "7", "viii": "8", "ix": "9", "x": "10",
}  # fmt: skip
NUMBER_WORDS = {
    "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8",
    "nine": "9", "ten": "10", "eleven": "11", "twelve": "12", "thirteen": "13", "fourteen": "14",
    "fifteen": "15", "sixteen": "16", "seventeen": "17", "eighteen": "18", "nineteen": "19", "twenty": "20",
}  # fmt: skip
MIN_PLURAL = 4
"""Letters from which a word may be a plural: "gas" and "his" are none."""
_ES_PLURALS = ("xes", "zes", "ches", "shes", "sses", "oes")
MIN_INITIALS = 3
"""Initials of an acronym. Two letters are those of too many titles; a digit beside one tells more: T2."""
MAX_INITIALS = 10
"""Initials up to which a text is looked up; nobody types longer acronyms."""
_PART_ENDS = re.compile(r":\s|\s[-\u2013\u2014]\s")
"""What parts the name of a series from that of the film: "The Lord of the Rings: The Two Towers"."""
_WORD = re.compile(r"[^\W_]+")
_APOSTROPHES = re.compile(r"(?<=\w)['`](?=\w)")
_ELISION = re.compile(r"\b(?:[ldjmnstc]|qu|un|gl|quell|(?:a|da|de|ne|su|co)ll|nell)'(?=\w)")
"""French and Italian words that lose their vowel before another: l'avventura, d'argent, dell'arte."""
_TRAILING_ARTICLE = re.compile(r"^(.*), (the|a|an)$")
_TRAILING_YEAR = re.compile(r"^(.*\S)[\s(\[,]+((?:18|19|20)\d\d)[)\]]?$")


def split_words(folded: str) -> list[str]:
    """Returns the words of a folded text; an apostrophe inside a word does not split it."""
    text = folded.replace("&", " and ")
    if "'" in text or "`" in text:
        text = _APOSTROPHES.sub("", text)
    return _WORD.findall(text)


def compact_title(title: str) -> str:
    """Returns the letters and digits of a title in order: "Spider-Man", "spider man" and "SPIDERMAN" agree.

    A title of punctuation alone ("...") is its own compact form.
    """
    folded = fold_text(title)
    return "".join(split_words(folded)) or folded.strip()


def canonicalize_title(title: str) -> str:
    """Returns the compact title without its leading article and the word "part", with digits for numerals."""
    return _canonicalize(fold_text(title))


def _canonicalize(folded: str) -> str:
    folded = folded.strip()
    if match := _TRAILING_ARTICLE.match(folded):
        folded = match[1]
    words = split_words(_ELISION.sub("", folded))
    if len(words) > 1 and words[0] in ARTICLES:
        words = words[1:]
    content = [word for word in words if word != "part"] or words
    return "".join(write_digits(content)) or folded


@dataclass(frozen=True, slots=True)
class TitleKeys:
    """A typed text, folded once: its words, and the hashes of its compact and its canonical form.

    year: at the end of the text, None where there is none. bare_hash: of the canonical form without the year.
    """

    text: str
    words: tuple[str, ...]
    compact: str
    compact_hash: int
    canonical_hash: int
    bare_hash: int
    year: int | None


@lru_cache(maxsize=CACHED_KEYS)
def make_keys(text: str) -> TitleKeys:
    """Returns the keys of a typed text of any length. A request needs those of its text several times."""
    folded = fold_text(text)
    words, (bare, year) = tuple(split_words(folded)), split_year(folded)
    compact = "".join(words) or folded.strip()
    canonical = hash_text(_canonicalize(folded))
    bare_hash = canonical if year is None else hash_text(_canonicalize(bare))
    return TitleKeys(text, words, compact, hash_text(compact), canonical, bare_hash, year)


def split_year(text: str) -> tuple[str, int | None]:
    """Returns a query without the year at its end, and the year: ("heat", 1995) for "Heat (1995)"."""
    match = _TRAILING_YEAR.match(text.strip())
    return (match[1], int(match[2])) if match else (text, None)


def write_digits(words: Sequence[str]) -> list[str]:
    """Returns folded words with digits for numerals; the first word is no Roman one, but may be "twelve"."""
    first = [NUMBER_WORDS.get(word, word) for word in words[:1]]
    return first + [ROMAN_NUMERALS.get(word) or NUMBER_WORDS.get(word) or word for word in words[1:]]


def strip_plural(word: str) -> str:
    """Returns what the singular and the plural of an English word share: "stori" for story and stories."""
    if len(word) < MIN_PLURAL or not word.isalpha():
        return word
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-2] if word.endswith(_ES_PLURALS) else word[:-1]
    ending = next((ending for ending in ("ie", "y", "oe") if word.endswith(ending)), "")
    return word.removesuffix(ending) + ("o" if ending == "oe" else "i" if ending else "")


def is_acronym(text: str) -> bool:
    """Returns whether a folded word may be an acronym."""
    return len(text) >= (2 if text[-1:].isdecimal() else MIN_INITIALS) and len(text) <= MAX_INITIALS


def list_acronyms(title: str) -> list[str]:
    """Returns the initials of a title and of its first part, without a leading article; a number is whole."""
    texts = (title, _PART_ENDS.split(title, maxsplit=1)[0])
    acronyms = (_join_initials(split_words(fold_text(text))) for text in texts)
    return [acronym for acronym in dict.fromkeys(acronyms) if is_acronym(acronym)]


def _join_initials(words: Sequence[str]) -> str:
    words = words[1:] if words[:1] and words[0] in ARTICLES else words
    return "".join(word if word.isdecimal() else word[0] for word in words) if len(words) > 1 else ""


def is_number(word: str) -> bool:
    """Returns whether a word is mostly digits: 1977, 1980s, 3rd; not se7en."""
    return 2 * sum(map(str.isdigit, word)) >= len(word) > 0


def split_number(words: Sequence[str]) -> tuple[str, ...]:
    """Returns the folded words without a numeral at their end; nothing if they end in none."""
    is_numeral = len(words) > 1 and (
        words[-1].isdecimal() or words[-1] in ROMAN_NUMERALS or words[-1] in NUMBER_WORDS
    )
    return tuple(words[:-1]) if is_numeral else ()


def hash_text(text: str) -> int:
    """Returns 64 bits that are the same in every process."""
    return int.from_bytes(
        hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little"
    )


def hash_texts(texts: Iterable[str]) -> Hashes:
    """Returns the hash [n] of each text."""
    return np.fromiter((hash_text(text) for text in texts), np.uint64)


def list_edits(word: str) -> list[str]:
    """Returns every string one edit away that keeps the first letter: deletion, transposition, substitution,
    insertion (Damerau 1964). Letters are a to z and digits."""
    splits = [(word[:i], word[i:]) for i in range(1, len(word) + 1)]
    edits = [a + b[1:] for a, b in splits if b]
    edits += [a + b[1] + b[0] + b[2:] for a, b in splits if len(b) > 1]
    edits += [a + c + b[1:] for a, b in splits if b for c in LETTERS]
    edits += [a + c + b for a, b in splits for c in LETTERS]
    return list(dict.fromkeys(edit for edit in edits if edit != word))
