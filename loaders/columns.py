"""Columns of a source as values of ours: each distinct value is parsed once, faults are kept by row."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from loaders.moments import number_of
from loaders.rows import Column

NAME_SEPARATORS = ("|", ";", ",")
LARGEST_INT = 2**31 - 1
NOT_STATED = {"", "\\n", "null", "none", "nan", "n/a", "na"}
"""What databases and spreadsheets write for a value that is not there, in lower case; not of plain text."""


@dataclass(frozen=True, slots=True)
class Values:
    """values [n]; faults: the place of each row whose value is none of ours, and why."""

    values: list[Any]
    faults: dict[int, str]


def parsed(column: Column, parse: Callable[[Any], Any], missing: Any = None) -> Values:
    """`parse(value)` of each value; `missing` for null and for empty text. parse raises ValueError."""
    if isinstance(column, list):
        return _each(column, parse, missing)
    column = _plain(column)
    if pa.types.is_nested(column.type):
        return _each(column.to_pylist(), parse, missing)
    distinct = column.dictionary_encode()
    known = _each(distinct.dictionary.to_pylist(), parse, missing)
    codes = distinct.indices.to_pylist()
    values = [missing if code is None else known.values[code] for code in codes]
    if not known.faults:
        return Values(values, {})
    faults = {place: known.faults[code] for place, code in enumerate(codes) if code in known.faults}
    return Values(values, faults)


def texts(column: Column) -> Values:
    """Text without blanks at its ends; "" for null. Numbers are written as they are, 7.0 as 7."""
    if isinstance(column, list):
        return parsed(column, text_of, "")
    column = _plain(column)
    if pa.types.is_string(column.type):
        return Values(pc.utf8_trim_whitespace(column).fill_null("").to_pylist(), {})
    return parsed(column, text_of, "")


def names(column: Column, separator: str | None) -> Values:
    """Tuples of distinct names, from lists or from text cut at `separator`."""
    return parsed(column, lambda value: names_of(value, separator), ())


def integers(column: Column) -> Values:
    """Whole numbers from 0 to 2^31 - 1; None for null."""
    return parsed(column, integer_of)


def numbers(column: Column) -> Values:
    """float; None for null."""
    return parsed(column, decimal_of)


def flags(column: Column) -> Values:
    return parsed(column, flag_of, False)


def text_of(value: object) -> str:
    """Raises ValueError for a list or a record."""
    if isinstance(value, list | tuple | dict):
        raise ValueError(f"{_shown(value)} is no text")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, bool):
        return str(value).lower()
    return str(value).strip()


def names_of(value: object, separator: str | None) -> tuple[str, ...]:
    """Of a list its names, of records in a list the field `name`; text that begins with [ may be JSON.

    Without a separator text is cut at |, else at ;, else at a comma.
    """
    if isinstance(value, str):
        value = _json_list(value) if value.startswith("[") else _cut(value, separator)
    if not isinstance(value, list | tuple):
        value = [value]
    parts = [part.get("name", "") if isinstance(part, dict) else part for part in value]
    return tuple(
        dict.fromkeys(text for text in (text_of(part) for part in parts if part is not None) if text)
    )


def integer_of(value: object) -> int:
    number = number_of(value)
    if number is None or number != int(number) or not 0 <= number <= LARGEST_INT:
        raise ValueError(f"{_shown(value)} is no whole number from 0 to {LARGEST_INT}")
    return int(number)


def decimal_of(value: object) -> float:
    number = number_of(value)
    if number is None:
        raise ValueError(f"{_shown(value)} is no number")
    return number


def flag_of(value: object) -> bool:
    if isinstance(value, bool):
        return value
    known = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    if (flag := known.get(str(value).strip().lower())) is None:
        raise ValueError(f"{_shown(value)} is neither true nor false")
    return flag


def _each(values: list[Any], parse: Callable[[Any], Any], missing: Any) -> Values:
    results: list[Any] = []
    faults: dict[int, str] = {}
    for place, value in enumerate(values):
        result = missing
        if _is_stated(value):
            try:
                result = parse(value)
            except ValueError as error:
                faults[place] = str(error)
        results.append(result)
    return Values(results, faults)


def _is_stated(value: Any) -> bool:
    if isinstance(value, str):
        return value.strip().lower() not in NOT_STATED
    return value is not None and not (isinstance(value, float) and math.isnan(value))


def _plain(column: pa.Array) -> pa.Array:
    """Of dictionaries, large and view types, decimals and nanoseconds the plain kind."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _plain(column.dictionary_decode())
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind) or pa.types.is_null(kind):
        return column.cast(pa.string())
    if pa.types.is_decimal(kind):
        return column.cast(pa.float64())
    if pa.types.is_timestamp(kind):
        return column.cast(pa.timestamp("us", kind.tz), safe=False)
    if pa.types.is_duration(kind):
        return column.cast(pa.duration("us"), safe=False)
    return column


def _json_list(text: str) -> list[Any] | str:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return [text]
    return found if isinstance(found, list) else [text]


def _cut(text: str, separator: str | None) -> list[str]:
    if separator is None:
        separator = next((each for each in NAME_SEPARATORS if each in text), NAME_SEPARATORS[0])
    return text.split(separator)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
