"""Values of a JSON document that is not one object per line: the elements of an array, or one object."""

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any

from reelrank.loaders.files.source import SourceError
from reelrank.loaders.files.streams import ByteStream

READ_CHARACTERS = 1 << 20
MAX_VALUE_CHARACTERS = 64 << 20
"""A value has to fit in memory. A search export has 10,000 hits at most, about 20 MB."""
MAX_INTEGER, MAX_DIGITS = 2**64 - 1, 20
MAX_DEPTH = 100
"""Lists and objects inside each other. Much deeper ones break what reads by recursion or writes JSON."""
TOO_DEEP = f"it is nested more than {MAX_DEPTH} deep"
HALF_PAIR = "\\ud"
"""How an escape begins that may be half of a pair."""
BETWEEN_VALUES = re.compile(r"[\s,]*")
STRING_OR_COMMENT = re.compile(
    r'"(?:[^"\\]|\\.)*+"|//[^\n]*|/\*.*?\*/|,(?=\s*+(?>//[^\n]*+\s*+|/\*.*?\*/\s*+)*+[}\]])', re.DOTALL
)
"""A string, or what JSON does not allow but people write: comments, and a comma after the last value."""


def parse_lenient(text: str) -> Any:
    """Parses JSON with NaN, as pandas writes a missing value. Raises ValueError or RecursionError."""
    value = json.loads(text, parse_int=parse_integer)
    return repair_text(value) if HALF_PAIR in text.lower() else value


def parse_integer(digits: str) -> int | str:
    """Returns a whole number; one of more than 64 bits stays text, as it may be an id."""
    number = int(digits) if len(digits) <= MAX_DIGITS else MAX_INTEGER + 1
    return number if -(MAX_INTEGER // 2) <= number <= MAX_INTEGER else digits


def repair_text(value: Any) -> Any:
    """Returns a value with a replacement for each half of a surrogate pair, which no index stores."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [repair_text(part) for part in value]
    if isinstance(value, dict):
        return {repair_text(name): repair_text(part) for name, part in value.items()}
    return value


def is_too_deep(text: str | bytes, value: Any) -> bool:
    """Returns whether a value is nested more than MAX_DEPTH deep. text: what it was parsed from."""
    signs: Any = ("[", "{") if isinstance(text, str) else (b"[", b"{")
    if sum(map(text.count, signs)) <= MAX_DEPTH:  # so that most values are not walked through
        return False
    level = [value] if isinstance(value, list | dict) else []
    for _ in range(MAX_DEPTH):
        parts = (outer.values() if isinstance(outer, dict) else outer for outer in level)
        level = [inner for part in parts for inner in part if isinstance(inner, list | dict)]
    return bool(level)


class ValueStream:
    """The values of a document, read with as much text as one value needs.

    An array gives its elements; other text gives the values that follow each other in it. Comments are
    removed.
    """

    def __init__(self, stream: ByteStream, name: str) -> None:
        self._stream = stream
        self._name = name
        self._decode = codecs.getincrementaldecoder("utf-8-sig")()
        self._parser = json.JSONDecoder(strict=False, parse_int=parse_integer)
        self._text = ""
        self._position = 0
        self._has_ended = False
        self._is_cleaned = False
        self._count = 0

    def __iter__(self) -> Iterator[Any]:
        is_array = self._find_next() == "["
        self._position += is_array
        while character := self._find_next():
            if is_array and character == "]":
                return
            yield self._parse_value()
        if is_array:
            raise SourceError(
                f"{self._name} ends in the middle of its array; check that it is complete",
                code="invalid_json",
            )

    def _find_next(self) -> str:
        """Moves to the next value, and returns its first character; empty at the end of the file."""
        while True:
            match = BETWEEN_VALUES.match(self._text, self._position)
            self._position = match.end() if match else self._position
            if self._text.startswith(("//", "/*"), self._position):
                self._remove_comments()
            elif self._position < len(self._text) or not self._read_more():
                return self._text[self._position : self._position + 1]

    def _parse_value(self) -> Any:
        while True:
            try:
                value, end = self._parser.raw_decode(self._text, self._position)
            except (json.JSONDecodeError, RecursionError) as error:
                if not self._read_more() and not self._remove_comments():
                    raise self._build_error(error) from error
                continue
            if end == len(self._text) and self._text[end - 1] not in '}]"' and self._read_more():
                continue  # a number may go on
            text = self._text[self._position : end]
            if is_too_deep(text, value):
                raise self._build_error(RecursionError())
            has_halves = HALF_PAIR in text.lower()
            self._position = end
            self._count += 1
            return repair_text(value) if has_halves else value

    def _read_more(self) -> bool:
        """Reads at least as much text as is left, so that a long value is parsed a few times only."""
        if self._has_ended:
            return False
        remaining = self._text[self._position :]
        if len(remaining) > MAX_VALUE_CHARACTERS:
            raise SourceError(
                f"value {self._count + 1} of {self._name} is longer than 64 MB; write one object per line",
                code="line_too_long",
            )
        block = self._stream.read(max(READ_CHARACTERS, len(remaining)))
        self._has_ended = not block
        self._text, self._position = remaining + self._decode.decode(block, not block), 0
        self._is_cleaned = False
        return True

    def _remove_comments(self) -> bool:
        """Removes comments from the text that was read, all of it; returns whether that is new."""
        if self._is_cleaned:
            return False
        while self._read_more():
            pass
        self._text = STRING_OR_COMMENT.sub(
            lambda match: match[0] if match[0].startswith('"') else " ", self._text[self._position :]
        )
        self._position, self._is_cleaned = 0, True
        return True

    def _build_error(self, error: Exception) -> SourceError:
        reason = error.msg if isinstance(error, json.JSONDecodeError) else TOO_DEEP
        return SourceError(
            f"value {self._count + 1} of {self._name} is not valid JSON: {reason}; "
            "check that the file is complete",
            code="invalid_json",
        )
