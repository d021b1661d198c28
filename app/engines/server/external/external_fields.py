"""Maps the fields of an external index to those of an item."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from reelrank.index_mappings.errors import BadRequest
from reelrank.index_mappings.item import LIST_FIELDS, SINGULAR_NAMES, Item, remove_controls

TEXT_NAMES = ("title", "description", "thumbnail")
NUMBER_FIELDS = ("duration_s", "duration_min", "year")
KNOWN_FIELDS = ("id", *TEXT_NAMES, *LIST_FIELDS, *NUMBER_FIELDS, "published_at")
PLURALS = {singular: plural for plural, singular in SINGULAR_NAMES.items()}
"""Names that settings of earlier builds have for lists."""
LAST_YEAR = 9999
"""A bare number up to this is a year, a larger one is milliseconds since 1970."""


@dataclass(frozen=True, slots=True)
class ExternalFields:
    """The fields of an existing index that item fields are read from.

    names: item field to external field. A dot descends into objects and lists of objects.

    With `genres=categories.keyword`, filters use `categories.keyword`, and values are read from `categories`.
    Without `id`, the document's `_id` is the item id.
    """

    names: Mapping[str, str]

    def decode_item(self, document_id: str, source: Mapping[str, Any]) -> Item | None:
        """Returns the item; None without a title or with an id that reelrank does not allow."""
        values = {field: list(_read_values(source, path)) for field, path in self.names.items()}
        properties: dict[str, Any] = {name: " ".join(map(str, values.get(name, ()))) for name in TEXT_NAMES}
        properties |= {name: tuple(map(str, values.get(name, ()))) for name in LIST_FIELDS}
        properties["title"] = remove_controls(properties["title"])
        item_id = str(values["id"][0]) if values.get("id") else "" if "id" in self.names else document_id
        dates = (*values.get("published_at", ()), *values.get("year", ()))
        published = next((date for value in dates if (date := _parse_datetime(value))), None)
        try:
            item = Item(item_id, published_at=published, duration_s=_parse_duration_s(values), **properties)
        except ValueError:
            return None
        return item if item.title else None

    def list_source_fields(self) -> list[str]:
        """Lists the fields to fetch of a document."""
        return [part for name in self.names.values() for part in (name, name.removesuffix(".keyword"))]


def parse_external_fields(text: str) -> ExternalFields:
    """Parses `title=name,genres=categories.keyword`. Raises BadRequest."""
    pairs = [pair.strip().partition("=") for pair in text.split(",") if pair.strip()]
    mappings = ((field.strip(), path.strip()) for field, _, path in pairs)
    names = {PLURALS.get(field, field): path for field, path in mappings}
    for field, path in names.items():
        if field not in KNOWN_FIELDS or not path:
            raise BadRequest(
                f"REELRANK_ENGINE_FIELDS: {field!r} must be written FIELD=FIELD OF THE INDEX, where FIELD is "
                f"one of {', '.join(KNOWN_FIELDS)}",
                code="invalid_engine_setting",
            )
    if "title" not in names:
        raise BadRequest(
            "REELRANK_ENGINE_FIELDS: no field for the title; add one, such as title=name",
            code="invalid_engine_setting",
        )
    return ExternalFields(names)


def _read_values(source: Mapping[str, Any], path: str) -> Iterator[Any]:
    values = list(_walk_path(source, path.split(".")))
    return iter(values or _walk_path(source, path.removesuffix(".keyword").split(".")))


def _walk_path(value: Any, path: list[str]) -> Iterator[Any]:
    """Yields the values at the end of a path, through lists; nothing if the path does not exist."""
    if isinstance(value, list):
        for element in value:
            yield from _walk_path(element, path)
    elif not path:
        yield from () if value is None else (value,)
    elif isinstance(value, dict):
        if ".".join(path) in value:  # a field with dots in its name
            yield from _walk_path(value[".".join(path)], [])
        elif path[0] in value:
            yield from _walk_path(value[path[0]], path[1:])


def _parse_datetime(value: Any) -> datetime | None:
    try:
        if isinstance(value, str) and not value.isdigit():
            date = datetime.fromisoformat(value)
            return date if date.tzinfo else date.replace(tzinfo=UTC)
        number = int(value)
        return (
            datetime(number, 1, 1, tzinfo=UTC)
            if 0 < number <= LAST_YEAR
            else datetime.fromtimestamp(number / 1000, UTC)
        )
    except (ValueError, TypeError, OverflowError, OSError):
        return None


def _parse_duration_s(values: Mapping[str, list[Any]]) -> int | None:
    for name, factor in (("duration_s", 1), ("duration_min", 60)):
        for value in values.get(name, ()):
            try:
                return round(float(value) * factor)
            except (ValueError, TypeError, OverflowError):
                return None
    return None
