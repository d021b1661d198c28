"""One normalisation of text for every engine, of what is indexed and of what is typed.

Servers differ in the analysis modules they have, so joined words are spelt out here. The text of an item
stays as it is for display; engines index the result of `prepare_text` and search the words of `split_query`.

The analysis of prepared text is defined once for every engine: tokens, ASCII folding, lower case, stems.
`mapping.py` renders it for servers; `app/engines/embedded/text/analysis.py` implements it in tantivy.
tests/contract/test_analysis.py checks that every engine produces the same tokens.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

TOKENIZER = "standard"
"""Unicode text segmentation (UAX #29), as in Lucene's standard tokenizer."""

STEP_ORDER = ("asciifolding", "lowercase", "stem")
"""Folding comes first: the lower case of a letter such as the Turkish İ differs between engines."""

STEMMER = "porter2"
"""Snowball English. tantivy calls it "english"; Elasticsearch and OpenSearch call it "porter2"."""

STOP_WORDS: tuple[str, ...] = (
    "a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "into", "is", "it",
    "no", "not", "of", "on", "or", "such", "that", "the", "their", "then", "there", "these", "they",
    "this", "to", "was", "will", "with",
)  # fmt: skip
"""Lucene's EnglishAnalyzer.ENGLISH_STOP_WORDS_SET. They are indexed, so that titles made of them are found; a
query requires none of them unless it has no other words (`split_query`)."""

PREPARATION = 2
"""Version of `prepare_text`; build 05eedc69 indexed text as it was."""

MAX_TOKEN_LENGTH = 255
"""The default of Lucene's standard tokenizer. Engines differ in one point: servers split a longer token, the
embedded engine drops it."""

_APOSTROPHES = dict.fromkeys(map(ord, "\u2018\u2019\u02bc\u2032\u00b4\uff07"), "'")
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200c-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U000110bd\U000110cd"
    "\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""Format characters and other code points without a glyph, except the zero-width space, which parts words."""
_SUPERSCRIPT = re.compile(r"(?<=[^\W\d_])([\u00b2\u00b3\u00b9\u2070\u2074-\u2079]+)")
_ACCENTS = re.compile("[\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u064b-\u065f\u0670]+")
"""Accents of Latin, Greek and Cyrillic letters, and the optional vowels of Hebrew and Arabic."""
_LETTERS = str.maketrans(
    {"æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i", "ħ": "h", "ŋ": "n"}
)
"""Lower-case letters that the analyser folds and that have no decomposition."""
_NO_WORD = r"\s!-/:-@\[-`{-~\u00a1-\u00bf\u00d7\u00f7\u2000-\u206f\u2190-\u25ff\u3000-\u303f\u30fb"
_WORD = re.compile(rf"[^{_NO_WORD}]+")
_JOINER = (
    r"(?:[-'`.*/:&_+~\u00b7\u200b\u2010-\u2013\u2022\u2027\u2044\u2212\u2219\u22c5\u30fb]|(?<=\d),(?=\d))"
)
_INNER_JOINER = re.compile(rf"{_JOINER}(?<=[^{_NO_WORD}].)(?=[^{_NO_WORD}])")
"""Starts with a rare character, which makes the matcher several times faster: most texts have no match."""
_JOINED_WORDS = re.compile(rf"[^{_NO_WORD}]+(?:{_JOINER}[^{_NO_WORD}]+)+")
_POSSESSIVE = re.compile(rf"(?<=[^{_NO_WORD}])'[sS](?![^{_NO_WORD}])")
_CONTRACTION = re.compile(rf"(?<=[^{_NO_WORD}])'(?=(?:t|d|m|ll|re|ve)(?![^{_NO_WORD}]))", re.IGNORECASE)
MAX_PARTS, MAX_JOINED = 12, 40
"""Words and letters up to which joined words are also one word: an address or a formula is not."""
_STOP_WORDS = frozenset(STOP_WORDS)


@dataclass(frozen=True, slots=True)
class QueryWords:
    """The distinct words of a query, in order.

    content: words of which an item must have at least one. stop: stop words beside them, which only order
    what matches: "The Thing" is nearer to "the thing" than "Thing" is. Without other words, stop words are
    content. typed: the content words as they were typed, without joined forms of them and without expansion.
    """

    content: tuple[str, ...]
    stop: tuple[str, ...] = ()
    typed: tuple[str, ...] = ()


def clean_text(text: str) -> str:
    """Returns the text without invisible marks, accents, and differences of width and form (NFKC)."""
    if text.isascii():
        return text
    visible = _INVISIBLE.sub("", text.translate(_APOSTROPHES))
    decomposed = unicodedata.normalize("NFKD", _SUPERSCRIPT.sub("\u00b7\\1", visible))
    return unicodedata.normalize("NFC", _ACCENTS.sub("", decomposed.translate(_APOSTROPHES)))


def fold_text(text: str) -> str:
    """Returns the clean text in one case: equal for two ways of writing the same words."""
    if text.isascii():
        return text.lower()
    folded = clean_text(clean_text(text).casefold())
    return folded.translate(_LETTERS)


def fold_name(name: str) -> str:
    """Returns what a filter compares a name by: folded, with one blank between words."""
    return " ".join(fold_text(name).split())


def prepare_text(text: str) -> str:
    """Returns a text to index: joined words also in their parts and as one.

    "Spider-Man" becomes "Spider Man SpiderMan", "L'Avventura" "L Avventura LAvventura", "S.W.A.T." "S W A T
    SWAT". An English possessive is left out, a contraction is one word. A text of punctuation alone becomes
    one word that spells it.
    """
    plain = _normalize_marks(text)
    if _INNER_JOINER.search(plain):
        plain = _JOINED_WORDS.sub(_spell_out, plain)
    return plain.replace("_", " ")


def split_query(text: str, expansion: Iterable[str] = ()) -> QueryWords:
    """Returns the words of a typed text, prepared as an indexed text is, in lower case.

    expansion: words to search for beside them.
    """
    words = _list_words(prepare_text(text))
    content = [word for word in words if word not in _STOP_WORDS]
    stop = [word for word in words if word in _STOP_WORDS] if content else []
    content = content or words
    typed = [word for word in _list_words(_normalize_marks(text)) if word in content]
    return QueryWords(tuple(dict.fromkeys([*content, *expansion])), tuple(stop), tuple(typed))


def _normalize_marks(text: str) -> str:
    """Returns the clean text without possessives and the apostrophes of contractions."""
    clean = clean_text(text)
    if _WORD.search(clean) is None:
        return _name_punctuation(clean)
    return _CONTRACTION.sub("", _POSSESSIVE.sub("", clean)) if "'" in clean else clean


def _list_words(text: str) -> list[str]:
    """Returns the distinct words of a text in lower case."""
    return list(dict.fromkeys(_WORD.findall(text.lower())))


def _spell_out(match: re.Match[str]) -> str:
    parts = _WORD.findall(match[0])
    joined = "".join(parts)
    if len(parts) > MAX_PARTS or len(joined) > MAX_JOINED:
        return " ".join(parts)
    return " ".join((*parts, joined))


def _name_punctuation(text: str) -> str:
    return "".join(f"u{ord(mark):04x}" for mark in text if not mark.isspace())[:MAX_JOINED]
