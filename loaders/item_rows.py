"""Rows of a catalogue checked and made into items."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from index_mappings.item import Item
from loaders import columns
from loaders.columns import Values
from loaders.field_map import Field, FieldMap
from loaders.moments import length_ms_of, moment_of
from loaders.rows import Reject, Rows

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
    places: list[int]
    rejects: list[Reject]


def items_of(rows: Rows, fields: FieldMap) -> CheckedItems:
    """Every row either an item or a reject."""
    found = {each.name: _values(rows, fields, each) for each in ITEM_FIELDS}
    faults: dict[int, str] = {}
    for name, values in found.items():
        for place, fault in values.faults.items():
            faults.setdefault(place, f"{name}: {fault}")
    columns_ = [values.values for values in found.values()]
    items, places = list[Item](), list[int]()
    for place, facts in enumerate(zip(*columns_, strict=True)):
        if place in faults:
            continue
        try:
            items.append(_item(facts))
            places.append(place)
        except ValueError as error:
            faults[place] = str(error)
    return CheckedItems(items, places, [*rows.unreadable, *rejected(rows, faults)])


def rejected(rows: Rows, faults: dict[int, str]) -> list[Reject]:
    """A reject for each place with a fault, with its row whole."""
    if not faults:
        return []
    return [
        Reject(rows.file, int(rows.numbers[place]), fault, rows.block.slice(place, 1).records()[0])
        for place, fault in sorted(faults.items())
    ]


def _item(facts: Sequence[Any]) -> Item:
    """Of values in the order of ITEM_FIELDS, which is the order of `Item`."""
    if not facts[0]:
        raise ValueError("id is missing")
    if not facts[1]:
        raise ValueError("title is missing")
    return Item(*facts)


def _values(rows: Rows, fields: FieldMap, each: Field) -> Values:
    size = len(rows.numbers)
    if each.many:
        return _joined([rows.block.column(name) for name in fields.columns.get(each.name, ())], fields, size)
    column = fields.column(each.name)
    if column is None:
        return Values(["" if each.name not in ("published_at", "duration_s") else None] * size, {})
    values = rows.block.column(column)
    if each.name == "published_at":
        return columns.parsed(values, moment_of)
    if each.name == "duration_s":
        unit = fields.unit(column)
        return columns.parsed(values, lambda value: round(length_ms_of(value, unit) / 1000))
    return columns.texts(values)


def _joined(parts: Sequence[Any], fields: FieldMap, size: int) -> Values:
    """The names of several columns, each once."""
    if not parts:
        return Values([()] * size, {})
    read = [columns.names(part, fields.rules.separator) for part in parts]
    faults = {place: fault for values in reversed(read) for place, fault in values.faults.items()}
    if len(read) == 1:
        return read[0]
    rows = zip(*(values.values for values in read), strict=True)
    return Values([tuple(dict.fromkeys(name for names in row for name in names)) for row in rows], faults)
