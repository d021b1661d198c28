"""Lists of names in one value: lists, records, JSON, Python and Postgres literals, and separated text."""

import ast
import html
import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from reelrank.loaders.fields.numbers import abbreviate

NAME_SEPARATORS = ("|", ";", ",")
"""Tried in this order: names often contain commas, and seldom bars."""
NAME_KEYS = ("name", "title", "label", "value", "text", "term", "english_name", "id")
"""Keys under which a record of a list may have its name, the best first."""
MISSING_NAMES = {"", "\\n", "null", "none", "n/a", "nan", "(no genres listed)"}
"""How databases, spreadsheets and MovieLens write a missing value, in lower case."""
INVERTED_NAME = re.compile(
    r",(?!\s*(?:the|[^,]*\b(?:republic|states?|province|kingdom) of(?: the)?(?: china)?)\s*(?:,|$))",
    re.IGNORECASE,
)
"""A comma between names, but not inside an inverted name such as "Korea, Republic of" or "Bahamas, The"."""
ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
PRIVATE_USE = 0xE000
"""Stands for a separator that is written as an HTML entity, which separates nothing."""
PROTECTED = {mark: chr(PRIVATE_USE + ord(mark)) for mark in '|;,"'}
UNPROTECTED = {ord(stand_in): mark for mark, stand_in in PROTECTED.items()}
BRACKETS = {"[": "]", "{": "}", "(": ")"}
PYTHON_STRING = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
STRINGS = re.compile(rf"[\[({{]\s*+(?:(?:{PYTHON_STRING})\s*+(?:,\s*+)?)*+[\])}}]", re.DOTALL)
"""Only strings, with commas as in Python, or without them as numpy prints an array."""
BROKEN_LITERALS = ("[{", "[[", "['", '["', "{'")
"""How a literal begins; one that cannot be parsed, such as one that was cut, is no name."""
MAX_LITERAL_CHARACTERS = 100_000
"""Longer Python lists are not parsed: Python's parser needs memory that is far larger than the text."""


@dataclass(frozen=True, slots=True)
class ListStyle:
    """How the lists of a column are written, which a single value does not tell.

    separator: between the names of a text; None for the best of NAME_SEPARATORS in the text itself.
    has_brackets: text in brackets is a list without quote marks, as in [Drama, Sea].
    """

    separator: str | None = None
    has_brackets: bool = False

    @property
    def description(self) -> str:
        """Returns what was decided, in words; empty when nothing had to be."""
        brackets = "in brackets" if self.has_brackets else ""
        separator = f"split at {self.separator}" if self.separator else ""
        return ", ".join(filter(None, (brackets, separator)))


UNDECIDED = ListStyle()


def parse_names(
    value: object, style: ListStyle = UNDECIDED, missing: Collection[str] = ()
) -> tuple[str, ...]:
    """Returns the distinct names in a list, in records with a name, or in text. Raises ValueError.

    missing: lower-case words that are no name in this field, beside MISSING_NAMES.
    """
    if isinstance(value, str):
        text = value.strip()
        found = parse_literal(text)
        value = split_text(text, style) if found is None else found
    names = (name.strip() for name in _list_names(value))
    no_names = MISSING_NAMES.union(missing)
    return tuple(dict.fromkeys(name for name in names if name.lower() not in no_names))


def parse_literal(text: str) -> Any:
    """Parses a list, a tuple, a set or a record in the syntax of JSON or Python; None for other text."""
    if len(text) < 2 or BRACKETS.get(text[0]) != text[-1]:
        return None
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass
    if len(text) > MAX_LITERAL_CHARACTERS:
        return None
    if text[1:-1].strip() and STRINGS.fullmatch(text):
        return [_read_string(string) for string in re.findall(PYTHON_STRING, text, re.DOTALL)]
    try:
        found = ast.literal_eval(re.sub(r"\bnan\b", "None", text) if "nan" in text else text)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return None
    return found if isinstance(found, list | tuple | set | dict) else None


def split_text(text: str, style: ListStyle = UNDECIDED) -> list[str]:
    """Splits text at the separator; names may stand in double quotes, and HTML entities are decoded.

    Raises ValueError for a literal that is cut or broken.
    """
    if text.startswith(BROKEN_LITERALS):
        raise ValueError(f"{abbreviate(text)} begins as a list in JSON or Python, but is none")
    text, is_postgres = unescape_html(text), False
    if len(text) > 1 and BRACKETS.get(text[0]) == text[-1]:
        inner = text[1:-1].strip()
        is_whole = not re.search(r"[\[\](){}]", inner)
        is_postgres = text[0] == "{" and is_whole
        is_list = text[0] == "[" and (
            style.has_brackets or (is_whole and any(mark in inner for mark in NAME_SEPARATORS))
        )
        if is_postgres or is_list or inner.lower() in MISSING_NAMES:
            text = inner
    separator = style.separator
    if is_postgres and separator is None:
        separator = ","
    if separator is None:
        separator = next((mark for mark in NAME_SEPARATORS if mark in text), NAME_SEPARATORS[0])
    return [part.translate(UNPROTECTED) for part in _split_at(text, separator)]


def unescape_html(text: str) -> str:
    """Decodes HTML entities; a separator that is written so stays protected from `split_text`."""
    if "&" not in text:
        return text
    return ENTITY.sub(lambda match: PROTECTED.get(decoded := html.unescape(match[0]), decoded), text)


def decode_html(text: str) -> str:
    """Decodes HTML entities that end with a semicolon."""
    return ENTITY.sub(lambda match: html.unescape(match[0]), text) if "&" in text else text


def _split_at(text: str, separator: str) -> list[str]:
    if '"' in text:
        mark = re.escape(separator)
        quoted = re.compile(rf'\s*"((?:[^"]|"")*)"\s*(?={mark}|$)|(?:(?!{mark}).)+', re.DOTALL)
        return [
            match[0] if match[1] is None else match[1].replace('""', '"') for match in quoted.finditer(text)
        ]
    return INVERTED_NAME.split(text) if separator == "," else text.split(separator)


def _list_names(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield from _read_record(value)
    elif isinstance(value, list | tuple | set | frozenset):
        parts: Iterable[object] = value if isinstance(value, list | tuple) else sorted(value, key=str)
        for part in parts:
            yield from _list_names(part)
    elif value is not None and not (isinstance(value, float) and math.isnan(value)):
        yield decode_html(write_text(value))


def _read_record(record: Mapping[str, Any]) -> Iterator[str]:
    """Reads the name of a record, or the names in a record of ids and names."""
    texts = {name: part for name, part in record.items() if isinstance(part, str | int | float)}
    for key in NAME_KEYS:
        if key in texts:
            yield from _list_names(texts[key])
            return
    if not record or all(isinstance(part, str) for part in record.values()):
        yield from (decode_html(part) for part in record.values())
        return
    raise ValueError(
        f"{abbreviate(dict(record))} is a record without a name, title or label; add --map FIELD=COLUMN.KEY"
    )


def _read_string(literal: str) -> str:
    try:
        text = ast.literal_eval(literal)
    except (ValueError, SyntaxError):
        text = literal[1:-1]
    return str(text)


def write_text(value: object) -> str:
    """Returns a value as text. Raises ValueError for a list or a record."""
    if isinstance(value, list | tuple | dict):
        raise ValueError(
            f"{abbreviate(value)} is a {'record' if isinstance(value, dict) else 'list'}, not text"
        )
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, bool):
        return str(value).lower()
    return str(value).strip()
