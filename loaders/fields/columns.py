"""Parsers of source columns. Each distinct value is parsed once; errors are collected by row."""

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from reelrank.loaders.fields.lists import UNDECIDED, ListStyle, decode_html, parse_names, write_text
from reelrank.loaders.fields.numbers import parse_decimal, parse_flag, parse_integer
from reelrank.loaders.files.rows import Column

MISSING_TEXTS = frozenset({"", "\\n", "null", "none", "nan", "n/a"})
"""How databases and spreadsheets write a missing value, in lower case."""
MISSING_VALUES = MISSING_TEXTS | {"na"}
"""In columns other than text: there NA is a country, Namibia."""


@dataclass(frozen=True, slots=True)
class ParsedColumn:
    """values [n], with the default where a value is missing or invalid; errors: row index to reason."""

    values: list[Any]
    errors: dict[int, str]


def parse_column(
    column: Column,
    parse: Callable[[Any], Any],
    default: Any = None,
    missing: Collection[str] = MISSING_VALUES,
) -> ParsedColumn:
    """Parses each value; `default` stands for null and for `missing` words. parse raises ValueError."""
    if isinstance(column, list):
        return _parse_each(column, parse, default, missing)
    column = _normalise_type(column)
    if pa.types.is_nested(column.type):
        return _parse_each(column.to_pylist(), parse, default, missing)
    distinct = column.dictionary_encode()
    known = _parse_each(distinct.dictionary.to_pylist(), parse, default, missing)
    codes = distinct.indices.to_pylist()
    values = [default if code is None else known.values[code] for code in codes]
    if not known.errors:
        return ParsedColumn(values, {})
    errors = {row: known.errors[code] for row, code in enumerate(codes) if code in known.errors}
    return ParsedColumn(values, errors)


def parse_text_column(column: Column, is_optional: bool = False) -> ParsedColumn:
    """Parses text: surrounding blanks are removed, null becomes "", 7.0 becomes "7", and &amp; becomes &.

    is_optional: words for a missing value become "", too. A title may be one.
    """
    missing = MISSING_TEXTS if is_optional else ()
    if not isinstance(column, list):
        column = _normalise_type(column)
        if pa.types.is_string(column.type):
            return ParsedColumn(_clean_texts(column, missing), {})
    return parse_column(column, lambda value: decode_html(write_text(value)), "", missing)


def _clean_texts(column: pa.Array, missing: Collection[str]) -> list[str]:
    trimmed = pc.utf8_trim_whitespace(column).fill_null("")
    if missing:
        is_missing = pc.is_in(pc.utf8_lower(trimmed), pa.array(sorted(missing)))
        trimmed = pc.if_else(is_missing, "", trimmed)
    texts: list[str] = trimmed.to_pylist()
    has_entities = pc.any(pc.match_substring(trimmed, "&")).as_py()
    return [decode_html(text) for text in texts] if has_entities else texts


def parse_names_column(
    column: Column, style: ListStyle = UNDECIDED, missing: Collection[str] = MISSING_VALUES
) -> ParsedColumn:
    """Parses tuples of distinct names, from lists or from text. No `missing` word is a name in a list."""
    return parse_column(column, partial(parse_names, style=style, missing=missing), (), missing)


def parse_integer_column(column: Column) -> ParsedColumn:
    """Parses whole numbers from 0 to MAX_INT; None for null."""
    return parse_column(column, parse_integer)


def parse_number_column(column: Column) -> ParsedColumn:
    """Parses floats; None for null."""
    return parse_column(column, parse_decimal)


def parse_flag_column(column: Column) -> ParsedColumn:
    """Parses booleans; False for null."""
    return parse_column(column, parse_flag, False)


def _is_present(value: Any, missing: Collection[str]) -> bool:
    if isinstance(value, str):
        return value.strip().lower() not in missing
    return value is not None and not (isinstance(value, float) and math.isnan(value))


def _parse_each(
    values: list[Any], parse: Callable[[Any], Any], default: Any, missing: Collection[str]
) -> ParsedColumn:
    results: list[Any] = []
    errors: dict[int, str] = {}
    for row, value in enumerate(values):
        result = default
        if _is_present(value, missing):
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
