"""Text analysis of `reelrank.index_mappings.analysis` as tantivy does it: word for word what the servers do.

Words are those of Unicode's text segmentation (UAX #29) as Lucene's standard tokenizer reads it:
"Ocean's" and "U.S." are one word, "WALL-E" two, and each Han or Hiragana character its own.
"""

import re
from collections.abc import Sequence
from typing import Any

import tantivy

from reelrank.index_mappings.analysis import MAX_TOKEN_LENGTH, STOP_WORDS

_IGNORED = r"[\p{wb=Format}\p{wb=Extend}\p{wb=ZWJ}]*"
_JOINER = rf"(?:\p{{wb=ExtendNumLet}}{_IGNORED})"
_HEBREW = rf"\p{{wb=Hebrew_Letter}}{_IGNORED}"
_LETTER = rf"(?:\p{{wb=ALetter}}{_IGNORED}|{_HEBREW}(?:\p{{wb=Double_Quote}}{_IGNORED}{_HEBREW})*)"
_MID_LETTER = rf"[\p{{wb=MidLetter}}\p{{wb=MidNumLet}}\p{{wb=Single_Quote}}]{_IGNORED}"
_DIGIT = rf"\p{{wb=Numeric}}{_IGNORED}"
_MID_DIGIT = rf"[\p{{wb=MidNum}}\p{{wb=MidNumLet}}\p{{wb=Single_Quote}}]{_IGNORED}"
_RUN = (
    rf"(?:(?:{_LETTER}(?:{_MID_LETTER}{_LETTER})*|{_DIGIT}(?:{_MID_DIGIT}{_DIGIT})*)+"
    rf"|(?:\p{{wb=Katakana}}{_IGNORED})+)"
)
_WORD = rf"{_JOINER}*{_RUN}(?:{_JOINER}+{_RUN})*{_JOINER}*"
_SOUTH_EAST_ASIAN = r"[\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"
_CHARACTER = rf"[\p{{Han}}\p{{Hiragana}}]{_IGNORED}"
_PICTURE = r"\p{Extended_Pictographic}"
_EMOJI = rf"\p{{Regional_Indicator}}{{2}}|{_PICTURE}(?:[\p{{wb=Extend}}\p{{wb=ZWJ}}]+{_PICTURE}?)*"
WORD_PATTERN = rf"{_WORD}|{_SOUTH_EAST_ASIAN}(?:{_SOUTH_EAST_ASIAN}|\p{{wb=Extend}})*|{_CHARACTER}|{_EMOJI}"


TOKENIZER = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.regex(WORD_PATTERN)).build()

_ASCII_RUN = r"(?:[A-Za-z]+(?:[.':][A-Za-z]+)*|[0-9]+(?:[.',;][0-9]+)*)+"
ASCII_WORD = re.compile(rf"_*{_ASCII_RUN}(?:_+{_ASCII_RUN})*_*", re.ASCII)
"""WORDS, where there is nothing but ASCII; tests/unit/app/engines/embedded/test_words.py holds it to that."""
_INNER = re.compile(r"[.':,;_](?:(?<=_)|(?<=[A-Za-z0-9].)(?=[A-Za-z0-9]))", re.ASCII)
"""Begins with what is rare, which Python's matcher runs along several times faster."""
_ONLY_ALPHANUMERIC = {code: " " for code in range(128) if not chr(code).isalnum()}
_BORDER = "\x1f"  # ASCII's unit separator
_ONLY_ALPHANUMERIC_AND_BORDER = _ONLY_ALPHANUMERIC | {ord(_BORDER): _BORDER}


def separate_words(text: str) -> str:
    """The words of a text with white space between them, which `analyzer` then only has to split at.

    The pattern of WORDS costs tantivy more than all else it does to a text, so ASCII goes a shorter way.
    """
    if not text.isascii():
        return " ".join(TOKENIZER.analyze(text))
    if _INNER.search(text):
        return " ".join(ASCII_WORD.findall(text))
    return text.translate(_ONLY_ALPHANUMERIC)


def separate_words_batch(texts: Sequence[str]) -> list[str]:
    """`separated` of each, at once where they are as plain as most are."""
    joined = _BORDER.join(texts)
    if joined.isascii() and not _INNER.search(joined):
        cut = joined.translate(_ONLY_ALPHANUMERIC_AND_BORDER).split(_BORDER)
        if len(cut) == len(texts):
            return cut
    return [separate_words(text) for text in texts]


def build_analyzer() -> Any:
    """Of what `separated` gives."""
    filters = tantivy.Filter
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace())
    for step in (
        filters.remove_long(MAX_TOKEN_LENGTH + 1),
        filters.ascii_fold(),
        filters.lowercase(),
        filters.custom_stopword(list(STOP_WORDS)),
        filters.stemmer("english"),
    ):
        builder = builder.filter(step)
    return builder.build()
