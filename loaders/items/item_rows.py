"""Rows of a catalogue checked and made into items."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reelrank.index_mappings.item import Item
from reelrank.loaders.fields import columns
from reelrank.loaders.fields.columns import ParsedColumn
from reelrank.loaders.fields.field_map import Field, FieldMap
from reelrank.loaders.fields.times import parse_datetime, parse_duration_ms
from reelrank.loaders.files.rows import Reject, Rows

ITEM_FIELDS = (
    Field("id", ("id", "item_id", "video_id", "movie_id", "film_id", "content_id", "asset_id", "imdb_id",
                 "tmdb_id", "itemid", "videoid", "movieid", "filmid"), required=True),
    Field("title", ("title", "name", "headline", "primary_title"), required=True),
    Field("description", ("description", "overview", "summary", "synopsis", "plot", "abstract")),
    Field("tags", ("tags", "keywords", "labels"), many=True),
    Field("genres", ("genres", "genre", "categories", "category"), many=True),
    Field("people", ("people", "director", "directors", "cast", "actors", "starring", "creator", "creators",
                     "channel"), many=True),
    Field("language", ("language", "lang", "original_language")),
    Field("country", ("country", "country_code", "production_country")),
    Field("published_at", ("published_at", "published", "release_date", "released", "publish_date",
                           "upload_date", "created_at", "date", "year", "release_year", "start_year")),
    Field("duration_s", ("duration_s", "duration_ms", "duration_min", "duration_minutes", "duration_seconds",
                         "duration", "runtime", "runtime_min", "runtime_mins", "runtime_minutes", "length",
                         "length_s", "length_seconds"), length=True),
    Field("thumbnail", ("thumbnail", "thumbnail_url", "image", "image_url", "poster", "poster_url")),
)  # fmt: skip
"""Fields of `Item` and the column names that fill them by themselves."""


@dataclass(frozen=True, slots=True)
class CheckedItems:
    """items and the place of each in its rows; every other row is among `rejects`."""

    items: list[Item]
    indexes: list[int]
    rejects: list[Reject]


def parse_item_rows(rows: Rows, fields: FieldMap) -> CheckedItems:
    """Every row either an item or a reject."""
    found = {each.name: _parse_field(rows, fields, each) for each in ITEM_FIELDS}
    faults: dict[int, str] = {}
    for name, values in found.items():
        for place, fault in values.errors.items():
            faults.setdefault(place, f"{name}: {fault}")
    columns_ = [values.values for values in found.values()]
    items, places = list[Item](), list[int]()
    for place, facts in enumerate(zip(*columns_, strict=True)):
        if place in faults:
            continue
        try:
            items.append(_build_item(facts))
            places.append(place)
        except ValueError as error:
            faults[place] = str(error)
    return CheckedItems(items, places, [*rows.unreadable, *build_rejects(rows, faults)])


def build_rejects(rows: Rows, errors: dict[int, str]) -> list[Reject]:
    """A reject for each place with a fault, with its row whole."""
    if not errors:
        return []
    return [
        Reject(rows.file, int(rows.numbers[place]), fault, rows.block.slice(place, 1).records()[0])
        for place, fault in sorted(errors.items())
    ]


def _build_item(values: Sequence[Any]) -> Item:
    """Of values in the order of ITEM_FIELDS, which is the order of `Item`."""
    if not values[0]:
        raise ValueError("id is missing")
    if not values[1]:
        raise ValueError("title is missing")
    return Item(*values)


def _parse_field(rows: Rows, fields: FieldMap, field: Field) -> ParsedColumn:
    size = len(rows.numbers)
    if field.many:
        return _join_names(
            [rows.block.column(name) for name in fields.columns.get(field.name, ())], fields, size
        )
    column = fields.find_column(field.name)
    if column is None:
        return ParsedColumn(["" if field.name not in ("published_at", "duration_s") else None] * size, {})
    values = rows.block.column(column)
    if field.name == "published_at":
        return columns.parse_column(values, parse_datetime)
    if field.name == "duration_s":
        unit = fields.find_unit(column)
        return columns.parse_column(values, lambda value: round(parse_duration_ms(value, unit) / 1000))
    return columns.parse_text_column(values)


def _join_names(parts: Sequence[Any], fields: FieldMap, size: int) -> ParsedColumn:
    """The names of several columns, each once."""
    if not parts:
        return ParsedColumn([()] * size, {})
    read = [columns.parse_names_column(part, fields.rules.separator) for part in parts]
    faults = {place: fault for values in reversed(read) for place, fault in values.errors.items()}
    if len(read) == 1:
        return read[0]
    rows = zip(*(values.values for values in read), strict=True)
    return ParsedColumn(
        [tuple(dict.fromkeys(name for names in row for name in names)) for row in rows], faults
    )
