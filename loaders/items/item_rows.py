"""Conversion of catalogue rows to items."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from reelrank.index_mappings.item import (
    MAX_TITLE_LENGTH,
    Item,
    hash_key,
    is_blank,
    make_item_id,
    remove_controls,
)
from reelrank.loaders.fields import columns
from reelrank.loaders.fields.columns import MISSING_TEXTS, MISSING_VALUES, ParsedColumn
from reelrank.loaders.fields.dates import parse_datetime
from reelrank.loaders.fields.durations import parse_duration_ms
from reelrank.loaders.fields.field_map import Field, FieldMap
from reelrank.loaders.files.rows import Reject, Rows
from reelrank.loaders.items.column_names import CODE_FIELDS, ITEM_FIELDS
from reelrank.loaders.items.titles import split_year
from reelrank.loaders.report import MAX_SAMPLES, ValueCounts, count_values


@dataclass(frozen=True, slots=True)
class CheckedItems:
    """items, the row index of each, and a reject for every other row. values: counts by field."""

    items: list[Item]
    indexes: list[int]
    rejects: list[Reject]
    values: dict[str, ValueCounts] = field(default_factory=dict)


def parse_item_rows(rows: Rows, fields: FieldMap) -> CheckedItems:
    """Converts every row to an item or a reject. An unreadable value of an optional field is left out."""
    parsed = {target.name: _parse_field(rows, fields, target) for target in ITEM_FIELDS}
    titles = parsed["title"]
    parsed["title"] = replace(titles, values=[remove_controls(title) for title in titles.values])
    if fields.styles.titles_have_year:
        _move_years(parsed, fields)
    errors: dict[int, str] = {}
    for target in ITEM_FIELDS:
        if target.required or fields.rules.is_strict:
            for index, reason in parsed[target.name].errors.items():
                errors.setdefault(index, f"{target.name}: {reason}")
    items, indexes = list[Item](), list[int]()
    for index, values in enumerate(zip(*(column.values for column in parsed.values()), strict=True)):
        if index in errors:
            continue
        try:
            items.append(_build_item(values))
            indexes.append(index)
        except ValueError as error:
            errors[index] = str(error)
    counts = _count_fields(parsed, rows, fields)
    counts["id"] = replace(counts["id"], samples=tuple(item.id for item in items[:MAX_SAMPLES]))
    return CheckedItems(items, indexes, [*rows.unreadable, *build_rejects(rows, errors)], counts)


def _count_fields(parsed: dict[str, ParsedColumn], rows: Rows, fields: FieldMap) -> dict[str, ValueCounts]:
    """Counts the values of each field; an error of a required field costs the row, and is no value."""
    counts = {}
    for target in ITEM_FIELDS:
        column = parsed[target.name]
        costs_row = target.required or fields.rules.is_strict
        errors = {} if costs_row else column.errors
        named = {index: f"row {int(rows.numbers[index])}: {reason}" for index, reason in errors.items()}
        counts[target.name] = count_values(column.values, named)
    return counts


def build_rejects(rows: Rows, errors: dict[int, str]) -> list[Reject]:
    """Builds a reject with the whole row for each row index with an error."""
    if not errors:
        return []
    return [
        Reject(rows.file, int(rows.numbers[index]), reason, rows.block.slice(index, 1).records()[0])
        for index, reason in sorted(errors.items())
    ]


def _build_item(values: Sequence[Any]) -> Item:
    """Builds an item from values in the order of ITEM_FIELDS. Raises ValueError."""
    source_id, title, *others = values
    if not source_id:
        raise ValueError("id is missing; every item needs an id")
    if is_blank(title):
        raise ValueError("title is missing; every item needs a title")
    if len(title) > MAX_TITLE_LENGTH:
        raise ValueError(f"title has {len(title)} characters; {MAX_TITLE_LENGTH} are allowed")
    item_id = make_item_id(source_id)
    kept_id = "" if item_id == source_id else source_id
    return Item(*(item_id, title, *others, kept_id))


def _parse_field(rows: Rows, fields: FieldMap, target: Field) -> ParsedColumn:
    size = len(rows.numbers)
    if target.name == "id" and fields.rules.id_columns:
        return _compute_ids(rows, fields.rules.id_columns)
    if target.many:
        names = fields.columns.get(target.name, ())
        missing = MISSING_TEXTS if target.name in CODE_FIELDS else MISSING_VALUES
        return _join_names(
            [
                columns.parse_names_column(rows.block.column(name), fields.find_list_style(name), missing)
                for name in names
            ],
            size,
        )
    column = fields.find_column(target.name)
    if column is None:
        return ParsedColumn([None if target.date or target.length else ""] * size, {})
    values = rows.block.column(column)
    if target.date:
        return columns.parse_column(values, partial(parse_datetime, style=fields.find_date_style(column)))
    if target.length:
        unit = fields.find_unit(column)
        return columns.parse_column(values, lambda value: round(parse_duration_ms(value, unit) / 1000))
    return columns.parse_text_column(values, is_optional=not target.required)


def _compute_ids(rows: Rows, id_columns: Sequence[str]) -> ParsedColumn:
    """Hashes the text of columns to ids, so that a row has the same id in every file; "" if all are empty."""
    parsed = [columns.parse_text_column(rows.block.column(name)) for name in id_columns]
    errors = {index: reason for column in reversed(parsed) for index, reason in column.errors.items()}
    keys = zip(*(column.values for column in parsed), strict=True)
    return ParsedColumn([hash_key(key) if any(key) else "" for key in keys], errors)


def _move_years(parsed: dict[str, ParsedColumn], fields: FieldMap) -> None:
    """Takes the year off each title; it is the date of a row without one, unless the date is left out."""
    pairs = [split_year(title) for title in parsed["title"].values]
    parsed["title"] = ParsedColumn([title for title, _ in pairs], parsed["title"].errors)
    if fields.rules.stated.get("published_at") != ():
        dates = zip(parsed["published_at"].values, (year for _, year in pairs), strict=True)
        errors = parsed["published_at"].errors
        parsed["published_at"] = ParsedColumn([date or year for date, year in dates], errors)


def _join_names(parsed: Sequence[ParsedColumn], size: int) -> ParsedColumn:
    """Joins the distinct names of several columns."""
    if not parsed:
        return ParsedColumn([()] * size, {})
    if len(parsed) == 1:
        return parsed[0]
    errors = {index: reason for column in reversed(parsed) for index, reason in column.errors.items()}
    rows = zip(*(column.values for column in parsed), strict=True)
    return ParsedColumn(
        [tuple(dict.fromkeys(name for names in row for name in names)) for row in rows], errors
    )
