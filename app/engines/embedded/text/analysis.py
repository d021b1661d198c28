"""The text analysis of `reelrank.index_mappings.text` for tantivy; its tokens equal those of the servers.

Its input is text as `prepare_text` returns it.

Tokens follow Unicode text segmentation (UAX #29) as in Lucene's standard tokenizer: "Ocean's" and "U.S." are
one token, "WALL-E" is two, and each Han or Hiragana character is one.
"""

import re
from collections.abc import Sequence
from typing import Any

import tantivy

from reelrank.index_mappings.text import MAX_TOKEN_LENGTH

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
ASCII_WORD = re.compile(rf"(?<!_)_*{_ASCII_RUN}(?:_+{_ASCII_RUN})*_*", re.ASCII)
"""WORD_PATTERN for ASCII text; tests/unit/app/engines/embedded/test_tokenizer.py compares the two."""
_INNER = re.compile(r"[.':,;_](?:(?<=_)|(?<=[A-Za-z0-9].)(?=[A-Za-z0-9]))", re.ASCII)
"""Starts with a rare character, which makes Python's matcher several times faster."""
_ONLY_ALPHANUMERIC = {code: " " for code in range(128) if not chr(code).isalnum()}
_BORDER = "\x1f"  # ASCII's unit separator
_ONLY_ALPHANUMERIC_AND_BORDER = _ONLY_ALPHANUMERIC | {ord(_BORDER): _BORDER}


def separate_words(text: str) -> str:
    """Returns the tokens of a text separated by white space, at which `build_analyzer` splits.

    Matching WORD_PATTERN costs tantivy more than all other analysis, so ASCII text takes a shortcut.
    """
    if not text.isascii():
        return " ".join(TOKENIZER.analyze(text))
    if _INNER.search(text):
        return " ".join(ASCII_WORD.findall(text))
    return text.translate(_ONLY_ALPHANUMERIC)


def separate_words_batch(texts: Sequence[str]) -> list[str]:
    """Applies `separate_words` to texts, in one pass if they are simple, as most are."""
    joined = _BORDER.join(texts)
    if joined.isascii() and not _INNER.search(joined):
        separated = joined.translate(_ONLY_ALPHANUMERIC_AND_BORDER).split(_BORDER)
        if len(separated) == len(texts):
            return separated
    return [separate_words(text) for text in texts]


def build_analyzer() -> Any:
    """Builds the analyzer for the output of `separate_words`."""
    filters = tantivy.Filter
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace())
    for step in (
        filters.remove_long(MAX_TOKEN_LENGTH + 1),
        filters.ascii_fold(),
        filters.lowercase(),
        filters.stemmer("english"),
    ):
        builder = builder.filter(step)
    return builder.build()
