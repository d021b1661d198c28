"""Columns of a source as values of ours: each distinct value is parsed once, faults are kept by row."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from reelrank.loaders.fields.times import parse_number
from reelrank.loaders.files.rows import Column

NAME_SEPARATORS = ("|", ";", ",")
MAX_INT = 2**31 - 1
MISSING_VALUES = {"", "\\n", "null", "none", "nan", "n/a", "na"}
"""What databases and spreadsheets write for a value that is not there, in lower case; not of plain text."""


@dataclass(frozen=True, slots=True)
class ParsedColumn:
    """values [n]; faults: the place of each row whose value is none of ours, and why."""

    values: list[Any]
    errors: dict[int, str]


def parse_column(column: Column, parse: Callable[[Any], Any], default: Any = None) -> ParsedColumn:
    """`parse(value)` of each value; `missing` for null and for empty text. parse raises ValueError."""
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
    faults = {place: known.errors[code] for place, code in enumerate(codes) if code in known.errors}
    return ParsedColumn(values, faults)


def parse_text_column(column: Column) -> ParsedColumn:
    """Text without blanks at its ends; "" for null. Numbers are written as they are, 7.0 as 7."""
    if isinstance(column, list):
        return parse_column(column, parse_text, "")
    column = _normalise_type(column)
    if pa.types.is_string(column.type):
        return ParsedColumn(pc.utf8_trim_whitespace(column).fill_null("").to_pylist(), {})
    return parse_column(column, parse_text, "")


def parse_names_column(column: Column, separator: str | None) -> ParsedColumn:
    """Tuples of distinct names, from lists or from text cut at `separator`."""
    return parse_column(column, lambda value: parse_names(value, separator), ())


def parse_integer_column(column: Column) -> ParsedColumn:
    """Whole numbers from 0 to 2^31 - 1; None for null."""
    return parse_column(column, parse_integer)


def parse_number_column(column: Column) -> ParsedColumn:
    """float; None for null."""
    return parse_column(column, parse_decimal)


def parse_flag_column(column: Column) -> ParsedColumn:
    return parse_column(column, parse_flag, False)


def parse_text(value: object) -> str:
    """Raises ValueError for a list or a record."""
    if isinstance(value, list | tuple | dict):
        raise ValueError(f"{_abbreviate(value)} is no text")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, bool):
        return str(value).lower()
    return str(value).strip()


def parse_names(value: object, separator: str | None) -> tuple[str, ...]:
    """Of a list its names, of records in a list the field `name`; text that begins with [ may be JSON.

    Without a separator text is cut at |, else at ;, else at a comma.
    """
    if isinstance(value, str):
        value = _parse_json_list(value) if value.startswith("[") else _split_text(value, separator)
    if not isinstance(value, list | tuple):
        value = [value]
    parts = [part.get("name", "") if isinstance(part, dict) else part for part in value]
    return tuple(
        dict.fromkeys(text for text in (parse_text(part) for part in parts if part is not None) if text)
    )


def parse_integer(value: object) -> int:
    number = parse_number(value)
    if number is None or number != int(number) or not 0 <= number <= MAX_INT:
        raise ValueError(f"{_abbreviate(value)} is no whole number from 0 to {MAX_INT}")
    return int(number)


def parse_decimal(value: object) -> float:
    number = parse_number(value)
    if number is None:
        raise ValueError(f"{_abbreviate(value)} is no number")
    return number


def parse_flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    known = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    if (flag := known.get(str(value).strip().lower())) is None:
        raise ValueError(f"{_abbreviate(value)} is neither true nor false")
    return flag


def _parse_each(values: list[Any], parse: Callable[[Any], Any], default: Any) -> ParsedColumn:
    results: list[Any] = []
    faults: dict[int, str] = {}
    for place, value in enumerate(values):
        result = default
        if _is_present(value):
            try:
                result = parse(value)
            except ValueError as error:
                faults[place] = str(error)
        results.append(result)
    return ParsedColumn(results, faults)


def _is_present(value: Any) -> bool:
    if isinstance(value, str):
        return value.strip().lower() not in MISSING_VALUES
    return value is not None and not (isinstance(value, float) and math.isnan(value))


def _normalise_type(column: pa.Array) -> pa.Array:
    """Of dictionaries, large and view types, decimals and nanoseconds the plain kind."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _normalise_type(column.dictionary_decode())
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind) or pa.types.is_null(kind):
        return column.cast(pa.string())
    if pa.types.is_decimal(kind):
        return column.cast(pa.float64())
    if pa.types.is_timestamp(kind):
        return column.cast(pa.timestamp("us", kind.tz), safe=False)
    if pa.types.is_duration(kind):
        return column.cast(pa.duration("us"), safe=False)
    return column


def _parse_json_list(text: str) -> list[Any] | str:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return [text]
    return found if isinstance(found, list) else [text]


def _split_text(text: str, separator: str | None) -> list[str]:
    if separator is None:
        separator = next((each for each in NAME_SEPARATORS if each in text), NAME_SEPARATORS[0])
    return text.split(separator)


def _abbreviate(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
