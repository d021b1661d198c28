"""Conversion of catalogue rows to items."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from reelrank.index_mappings.item import Item
from reelrank.loaders.fields import columns
from reelrank.loaders.fields.columns import ParsedColumn
from reelrank.loaders.fields.field_map import Field, FieldMap
from reelrank.loaders.fields.times import parse_datetime, parse_duration_ms
from reelrank.loaders.files.rows import Reject, Rows
from reelrank.loaders.report import ValueCounts

ITEM_FIELDS = (
    Field("id", ("id", "item_id", "video_id", "movie_id", "film_id", "content_id", "asset_id", "imdb_id",
                 "tmdb_id", "itemid", "videoid", "movieid", "filmid"), required=True),
    Field("title", ("title", "name", "headline", "primary_title"), required=True),
    Field("description", ("description", "overview", "summary", "synopsis", "plot", "abstract")),
    Field("tags", ("tags", "keywords", "labels"), many=True),
    Field("genres", ("genres", "genre", "categories", "category"), many=True),
    Field("people", ("people", "director", "directors", "cast", "actors", "starring", "creator", "creators",
                     "channel"), many=True),
    Field("languages", ("languages", "language", "lang", "original_language", "spoken_languages"), many=True,
          one_column=True, singular="language"),
    Field("countries", ("countries", "country", "country_code", "production_country", "production_countries",
                        "origin_country"), many=True, one_column=True, singular="country"),
    Field("published_at", ("published_at", "published", "release_date", "released", "publish_date",
                           "upload_date", "created_at", "date", "year", "release_year", "start_year"),
          date=True),
    Field("duration_s", ("duration_s", "duration_ms", "duration_min", "duration_minutes", "duration_seconds",
                         "duration", "runtime", "runtime_min", "runtime_mins", "runtime_minutes", "length",
                         "length_s", "length_seconds"), length=True),
    Field("thumbnail", ("thumbnail", "thumbnail_url", "image", "image_url", "poster", "poster_url")),
)  # fmt: skip
"""Fields of `Item`, in its order, and the column names that fill them without --map."""
ID_BYTES = 12
"""Two of a billion different keys get the same 96-bit hash with a probability of about 10^-11."""


@dataclass(frozen=True, slots=True)
class CheckedItems:
    """items, the row index of each, and a reject for every other row. values: counts by optional field."""

    items: list[Item]
    indexes: list[int]
    rejects: list[Reject]
    values: dict[str, ValueCounts] = field(default_factory=dict)


def parse_item_rows(rows: Rows, fields: FieldMap) -> CheckedItems:
    """Converts every row to an item or a reject. An unreadable value of an optional field is left out."""
    parsed = {target.name: _parse_field(rows, fields, target) for target in ITEM_FIELDS}
    values_by_field = {
        target.name: _count_values(rows, parsed[target.name]) for target in ITEM_FIELDS if not target.required
    }
    errors: dict[int, str] = {}
    for target in ITEM_FIELDS:
        for index, reason in parsed[target.name].errors.items() if target.required else ():
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
    return CheckedItems(items, indexes, [*rows.unreadable, *build_rejects(rows, errors)], values_by_field)


def _count_values(rows: Rows, column: ParsedColumn) -> ValueCounts:
    readable = sum(value not in (None, "", ()) for value in column.values)
    if not column.errors:
        return ValueCounts(readable)
    index, reason = min(column.errors.items())
    return ValueCounts(readable, len(column.errors), f"row {int(rows.numbers[index])}: {reason}")


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
    if not values[0]:
        raise ValueError("id is missing; every item needs an id")
    if not values[1]:
        raise ValueError("title is missing; every item needs a title")
    return Item(*values)


def _parse_field(rows: Rows, fields: FieldMap, target: Field) -> ParsedColumn:
    size = len(rows.numbers)
    if target.name == "id" and fields.rules.id_columns:
        return _compute_ids(rows, fields.rules.id_columns)
    if target.many:
        return _join_names(
            [rows.block.column(name) for name in fields.columns.get(target.name, ())], fields, size
        )
    column = fields.find_column(target.name)
    if column is None:
        return ParsedColumn(["" if target.name not in ("published_at", "duration_s") else None] * size, {})
    values = rows.block.column(column)
    if target.name == "published_at":
        epoch_unit = fields.epoch_units.get(column)
        return columns.parse_column(values, lambda value: parse_datetime(value, epoch_unit))
    if target.name == "duration_s":
        unit = fields.find_unit(column)
        return columns.parse_column(values, lambda value: round(parse_duration_ms(value, unit) / 1000))
    return columns.parse_text_column(values)


def _compute_ids(rows: Rows, id_columns: Sequence[str]) -> ParsedColumn:
    """Hashes the text of columns to ids, so that a row has the same id in every file; "" if all are empty."""
    parsed = [columns.parse_text_column(rows.block.column(name)) for name in id_columns]
    errors = {index: reason for column in reversed(parsed) for index, reason in column.errors.items()}
    keys = zip(*(column.values for column in parsed), strict=True)
    return ParsedColumn([_hash_key(key) if any(key) else "" for key in keys], errors)


def _hash_key(key: Sequence[str]) -> str:
    return hashlib.blake2b(orjson.dumps(key), digest_size=ID_BYTES).hexdigest()


def _join_names(parts: Sequence[Any], fields: FieldMap, size: int) -> ParsedColumn:
    """Joins the distinct names of several columns."""
    if not parts:
        return ParsedColumn([()] * size, {})
    parsed = [columns.parse_names_column(part, fields.rules.separator) for part in parts]
    if len(parsed) == 1:
        return parsed[0]
    errors = {index: reason for column in reversed(parsed) for index, reason in column.errors.items()}
    rows = zip(*(column.values for column in parsed), strict=True)
    return ParsedColumn(
        [tuple(dict.fromkeys(name for names in row for name in names)) for row in rows], errors
    )
