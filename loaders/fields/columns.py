"""Parsers of source columns. Each distinct value is parsed once; errors are collected by row."""

import ast
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from reelrank.loaders.fields.times import parse_number
from reelrank.loaders.files.rows import Column

NAME_SEPARATORS = ("|", ";", ",")
"""Tried in this order: names often contain commas, and seldom bars."""
INVERTED_NAME = re.compile(
    r",(?!\s*(?:the|[^,]*\b(?:republic|states?|province|kingdom) of(?: the)?(?: china)?)\s*(?:,|$))",
    re.IGNORECASE,
)
"""A comma between names, but not inside an inverted name such as "Korea, Republic of" or "Bahamas, The"."""
MAX_INT = 2**31 - 1
"""The largest int32, the type of number columns in the item table."""
MISSING_VALUES = {"", "\\n", "null", "none", "nan", "n/a", "na"}
"""How databases and spreadsheets write a missing value, in lower case; text columns keep these words."""
MAX_LITERAL_CHARACTERS = 100_000
"""Longer Python lists are not parsed: Python's parser needs memory that is far larger than the text."""
MAX_SHOWN_CHARACTERS = 60
"""Longer values are cut in error messages, so that a message fits on a line or two."""


@dataclass(frozen=True, slots=True)
class ParsedColumn:
    """values [n], with the default where a value is missing or invalid; errors: row index to reason."""

    values: list[Any]
    errors: dict[int, str]


def parse_column(column: Column, parse: Callable[[Any], Any], default: Any = None) -> ParsedColumn:
    """Parses each value; `default` stands for null and for MISSING_VALUES. parse raises ValueError."""
    if isinstance(column, list):
        return _parse_each(column, parse, default)
    column = _normalise_type(column)
    if pa.types.is_nested(column.type):
        return _parse_each(column.to_pylist(), parse, default)
    distinct = column.dictionary_encode()
    known = _parse_each(distinct.dictionary.to_pylist(), parse, default)
    codes = distinct.indices.to_pylist()
    values = [default if code is None else known.values[code] for code in codes]
    if not known.errors:
        return ParsedColumn(values, {})
    errors = {row: known.errors[code] for row, code in enumerate(codes) if code in known.errors}
    return ParsedColumn(values, errors)


def parse_text_column(column: Column) -> ParsedColumn:
    """Parses text: surrounding blanks are removed, null becomes "", and 7.0 becomes "7"."""
    if isinstance(column, list):
        return _parse_each(column, parse_text, "", is_present=_is_not_null)
    column = _normalise_type(column)
    if pa.types.is_string(column.type):
        return ParsedColumn(pc.utf8_trim_whitespace(column).fill_null("").to_pylist(), {})
    return parse_column(column, parse_text, "")


def parse_names_column(column: Column, separator: str | None) -> ParsedColumn:
    """Parses tuples of distinct names, from lists or from text split at `separator`."""
    return parse_column(column, lambda value: parse_names(value, separator), ())


def parse_integer_column(column: Column) -> ParsedColumn:
    """Parses whole numbers from 0 to MAX_INT; None for null."""
    return parse_column(column, parse_integer)


def parse_number_column(column: Column) -> ParsedColumn:
    """Parses floats; None for null."""
    return parse_column(column, parse_decimal)


def parse_flag_column(column: Column) -> ParsedColumn:
    """Parses booleans; False for null."""
    return parse_column(column, parse_flag, False)


def parse_text(value: object) -> str:
    """Returns a value as text. Raises ValueError for a list or a record."""
    if isinstance(value, list | tuple | dict):
        raise ValueError(
            f"{_abbreviate(value)} is a {'record' if isinstance(value, dict) else 'list'}, not text"
        )
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, bool):
        return str(value).lower()
    return str(value).strip()


def parse_names(value: object, separator: str | None) -> tuple[str, ...]:
    """Returns the distinct names in a list, in a list of records with a `name`, or in text.

    Text is a list in the syntax of JSON or Python, or names that are split at the separator; without
    one at |, else at ;, else at a comma.
    """
    if isinstance(value, str):
        found = _parse_list_literal(value.strip())
        value = _split_text(value, separator) if found is None else found
    if not isinstance(value, list | tuple):
        value = [value]
    parts = [part.get("name", "") if isinstance(part, dict) else part for part in value]
    return tuple(
        dict.fromkeys(text for text in (parse_text(part) for part in parts if part is not None) if text)
    )


def parse_integer(value: object) -> int:
    """Returns a whole number from 0 to MAX_INT. Raises ValueError."""
    number = parse_number(value)
    if number is None or number != int(number) or not 0 <= number <= MAX_INT:
        raise ValueError(f"{_abbreviate(value)} is not a whole number from 0 to {MAX_INT}")
    return int(number)


def parse_decimal(value: object) -> float:
    """Returns a finite number. Raises ValueError."""
    number = parse_number(value)
    if number is None:
        raise ValueError(f"{_abbreviate(value)} is not a number")
    return number


def parse_flag(value: object) -> bool:
    """Returns a boolean for true, yes or 1 and for false, no or 0, in any case. Raises ValueError."""
    if isinstance(value, bool):
        return value
    known = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    if (flag := known.get(str(value).strip().lower())) is None:
        raise ValueError(
            f"{_abbreviate(value)} is neither true nor false; write true, yes or 1, or false, no or 0"
        )
    return flag


def _is_not_null(value: Any) -> bool:
    return value is not None and not (isinstance(value, float) and math.isnan(value))


def _is_present(value: Any) -> bool:
    return value.strip().lower() not in MISSING_VALUES if isinstance(value, str) else _is_not_null(value)


def _parse_each(
    values: list[Any],
    parse: Callable[[Any], Any],
    default: Any,
    is_present: Callable[[Any], bool] = _is_present,
) -> ParsedColumn:
    results: list[Any] = []
    errors: dict[int, str] = {}
    for row, value in enumerate(values):
        result = default
        if is_present(value):
            try:
                result = parse(value)
            except ValueError as error:
                errors[row] = str(error)
        results.append(result)
    return ParsedColumn(results, errors)


def _normalise_type(column: pa.Array) -> pa.Array:
    """Casts dictionaries, large and view types, decimals and nanoseconds to the plain types of a column."""
    dtype = column.type
    if pa.types.is_dictionary(dtype):
        return _normalise_type(column.dictionary_decode())
    if pa.types.is_large_string(dtype) or pa.types.is_string_view(dtype) or pa.types.is_null(dtype):
        return column.cast(pa.string())
    if pa.types.is_decimal(dtype):
        return column.cast(pa.float64())
    if pa.types.is_timestamp(dtype):
        return column.cast(pa.timestamp("us", dtype.tz), safe=False)
    if pa.types.is_duration(dtype):
        return column.cast(pa.duration("us"), safe=False)
    return column


def _parse_list_literal(text: str) -> list[Any] | None:
    """Parses a list in the syntax of JSON or, as pandas writes it, of Python; None for other text."""
    if not (text.startswith("[") and text.endswith("]")):
        return None
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        try:
            found = ast.literal_eval(text) if len(text) <= MAX_LITERAL_CHARACTERS else None
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            return None
    return found if isinstance(found, list) else None


def _split_text(text: str, separator: str | None) -> list[str]:
    if separator is None:
        separator = next((mark for mark in NAME_SEPARATORS if mark in text), NAME_SEPARATORS[0])
        if separator == ",":
            return INVERTED_NAME.split(text)
    return text.split(separator)


def _abbreviate(value: object) -> str:
    text = repr(value)
    return text if len(text) <= MAX_SHOWN_CHARACTERS else f"{text[: MAX_SHOWN_CHARACTERS - 3]}..."
