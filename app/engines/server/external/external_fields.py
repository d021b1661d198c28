"""How an index that somebody else made is read: which of its fields is which of an item's."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from reelrank.index_mappings.errors import BadRequest
from reelrank.index_mappings.item import Item

TEXT_NAMES = ("title", "description", "language", "country", "thumbnail")
LIST_FIELDS = ("tags", "genres", "people")
NUMBER_FIELDS = ("duration_s", "duration_min", "year")
KNOWN_FIELDS = ("id", *TEXT_NAMES, *LIST_FIELDS, *NUMBER_FIELDS, "published_at")
LAST_YEAR = 9999
"""A bare number up to this is a year, a larger one milliseconds since 1970."""


@dataclass(frozen=True, slots=True)
class ExternalFields:
    """names: our field to theirs. A dot goes into objects and lists of objects.

    Of `genres=categories.keyword` the whole is searched, and `categories` read where there is no such object.
    Without `id` an item's id is the document's `_id`.
    """

    names: Mapping[str, str]

    def decode_item(self, document_id: str, source: Mapping[str, Any]) -> Item | None:
        """None for one that reelrank cannot hold: without a title, or with an id of other characters."""
        read = {ours: list(_read_values(source, theirs)) for ours, theirs in self.names.items()}
        facts: dict[str, Any] = {name: " ".join(map(str, read.get(name, ()))) for name in TEXT_NAMES}
        facts |= {name: tuple(map(str, read.get(name, ()))) for name in LIST_FIELDS}
        name = str(read["id"][0]) if read.get("id") else "" if "id" in self.names else document_id
        stated = (*read.get("published_at", ()), *read.get("year", ()))
        published = next((moment for value in stated if (moment := _parse_datetime(value))), None)
        try:
            item = Item(name, published_at=published, duration_s=_parse_duration_s(read), **facts)
        except ValueError:
            return None
        return item if item.title else None

    def list_source_fields(self) -> list[str]:
        """What is to be fetched of a document."""
        return [part for name in self.names.values() for part in (name, name.removesuffix(".keyword"))]


def parse_external_fields(text: str) -> ExternalFields:
    """From `title=name,genres=categories.keyword`. Raises BadRequest."""
    pairs = [pair.strip().partition("=") for pair in text.split(",") if pair.strip()]
    names = {ours.strip(): theirs.strip() for ours, _, theirs in pairs}
    for ours, theirs in names.items():
        if ours not in KNOWN_FIELDS or not theirs:
            raise BadRequest(
                f"REELRANK_ENGINE_FIELDS: {ours!r} must be one of {', '.join(KNOWN_FIELDS)}, "
                "then = and a field"
            )
    if "title" not in names:
        raise BadRequest("REELRANK_ENGINE_FIELDS must say which field is the title, such as title=name")
    return ExternalFields(names)


def _read_values(source: Mapping[str, Any], path: str) -> Iterator[Any]:
    found = list(_walk_path(source, path.split(".")))
    return iter(found or _walk_path(source, path.removesuffix(".keyword").split(".")))


def _walk_path(value: Any, path: list[str]) -> Iterator[Any]:
    """The values at the end of a path, through lists; nothing where there is none."""
    if isinstance(value, list):
        for each in value:
            yield from _walk_path(each, path)
    elif not path:
        yield from () if value is None else (value,)
    elif isinstance(value, dict):
        if ".".join(path) in value:  # a field whose name holds dots
            yield from _walk_path(value[".".join(path)], [])
        elif path[0] in value:
            yield from _walk_path(value[path[0]], path[1:])


def _parse_datetime(value: Any) -> datetime | None:
    try:
        if isinstance(value, str) and not value.isdigit():
            moment = datetime.fromisoformat(value)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
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
