"""Blocks of rows converted to events: UBI records as they are, other rows by their columns."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, get_args

from reelrank.index_mappings.event import (
    COUNT,
    DURATION,
    EVENT_FIELDS,
    EVENT_KINDS,
    FLAG,
    KEYWORD,
    PROBABILITY,
    TEXT,
    TIMESTAMP,
    Event,
    EventField,
    FieldType,
)
from reelrank.index_mappings.item import ID_PATTERN, MAX_ID_LENGTH
from reelrank.loaders.events.event_rows import KIND_OF_ACTION, check_item, hash_content, is_ubi, parse_event
from reelrank.loaders.fields import columns
from reelrank.loaders.fields.columns import ParsedColumn
from reelrank.loaders.fields.field_map import Field, FieldMap, parse_unit
from reelrank.loaders.fields.times import MAX_EPOCH_MS, parse_duration_ms, parse_epoch_ms
from reelrank.loaders.files.rows import Column, Reject, Rows
from reelrank.loaders.items.item_rows import build_rejects

OTHER_NAMES: dict[str, tuple[str, ...]] = {
    "id": ("event_id", "eventid", "uuid"),
    "kind": ("action_name", "event_type", "event", "action", "type"),
    "user": ("user_id", "viewer", "viewer_id", "userid", "profile_id", "client_id"),
    "at_ms": ("timestamp", "timestamp_ms", "time", "at", "ts", "event_time", "occurred_at", "created_at",
              "date"),
    "item": ("item_id", "video_id", "movie_id", "film_id", "content_id", "asset_id", "object_id", "itemid",
             "videoid", "movieid"),
    "watched_ms": ("watched_s", "watched", "watch_time_ms", "watch_time_s", "watch_time", "watched_seconds",
                   "played_ms", "played_s"),
    "duration_ms": ("duration_s", "duration_min", "duration_seconds", "duration", "length_s", "length_ms",
                    "runtime_min"),
    "request_id": ("query_id", "search_id"),
    "position": ("rank",),
    "text": ("query", "search_text", "user_query", "q"),
    "device": ("device_type", "platform"),
    "country": ("country_code",),
    "session": ("session_id",),
}  # fmt: skip
"""Column names that fill a field besides its own name, the best first."""
REQUIRED_COLUMNS = ("kind", "user", "at_ms", "item")
EVENT_COLUMNS = tuple(
    Field(
        field.name,
        (field.name, *OTHER_NAMES.get(field.name, ())),
        required=field.name in REQUIRED_COLUMNS,
        length=field.type is DURATION,
    )
    for field in EVENT_FIELDS
)
"""The fields of `Event` as the loader maps columns to them."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)  # never used: every UBI record states its time
ParsedEvents = tuple[dict[int, Event], dict[int, str]]
"""Events, and errors, by the index of their row in the block."""
PARSERS: dict[FieldType, Callable[[Column], ParsedColumn]] = {
    KEYWORD: columns.parse_text_column,
    TEXT: columns.parse_text_column,
    FLAG: columns.parse_flag_column,
    COUNT: columns.parse_integer_column,
    PROBABILITY: columns.parse_number_column,
}
"""Parsers of columns whose name does not matter; that of a time may state its unit."""
FIELDS_NOT_IN_CONTENT_ID = frozenset(field.name for field in EVENT_FIELDS if field.since > 1)
"""Fields that are not hashed into the id of a row without one. A file that was loaded before a field was
added gets the same ids again, so that loading it again does not double its events."""
CHOICES = {
    field.name: choices
    for field in EVENT_FIELDS
    if field.name != "kind" and (choices := get_args(field.python_type)) and str in map(type, choices)
}
"""Allowed values of the fields that have a fixed set of them."""


@dataclass(frozen=True, slots=True)
class CheckedEvents:
    """Every row is either an event or a reject."""

    events: list[Event]
    rejects: list[Reject]


def parse_event_rows(rows: Rows, fields: FieldMap | None, latest_ms: int = MAX_EPOCH_MS) -> CheckedEvents:
    """Parses UBI records (fields is None), or rows by their columns. Rejects rows later than latest_ms.

    A row without an id gets a hash of its content and row number as its id.
    """
    parsed, errors = _parse_records(rows) if fields is None else _parse_columns(rows, fields)
    late = {index: event for index, event in parsed.items() if event.at_ms > latest_ms}
    errors |= {index: f"at_ms: {event.at_ms} is in the future" for index, event in late.items()}
    events = [event for index, event in parsed.items() if index not in late]
    return CheckedEvents(events, [*rows.unreadable, *build_rejects(rows, errors)])


def has_ubi_rows(rows: Rows) -> bool:
    """Whether the rows are UBI records. A flat table with a column `action_name` is read by its columns."""
    names = dict.fromkeys(rows.block.names)
    return "event_attributes" in names or ("action_name" not in names and is_ubi(names))


def build_event(values: Mapping[str, Any], row_number: str) -> Event:
    """Builds an event of parsed values by the names of `Event`. Raises ValueError that names the field."""
    kind = KIND_OF_ACTION.get(values["kind"].lower())
    if kind is None:
        raise ValueError(f"kind: {values['kind']!r} is unknown; use one of {', '.join(EVENT_KINDS)}")
    for name in ("user", "at_ms"):
        if values[name] in ("", None):
            raise ValueError(f"{name}: it is missing")
    item = values["item"]
    check_item(kind, item)
    if item and not ID_PATTERN.fullmatch(item):
        raise ValueError(
            f"item: {item!r} is not 1 to {MAX_ID_LENGTH} printable ASCII characters without a space"
        )
    for name, choices in CHOICES.items():
        if values[name] not in choices:
            known = ", ".join(choice for choice in choices if choice)
            raise ValueError(f"{name}: {values[name]!r} is unknown; use one of {known}")
    complete = {**values, "kind": kind}
    content = {name: value for name, value in complete.items() if name not in FIELDS_NOT_IN_CONTENT_ID}
    return Event(**{**complete, "id": values["id"] or hash_content(content, row_number)})


def _parse_records(rows: Rows) -> ParsedEvents:
    events, errors = dict[int, Event](), dict[int, str]()
    for index, record in enumerate(rows.block.records()):
        try:
            events[index] = parse_event(record, EPOCH, str(rows.numbers[index]))
        except ValueError as error:
            errors[index] = str(error)
    return events, errors


def _parse_columns(rows: Rows, fields: FieldMap) -> ParsedEvents:
    parsed = {field.name: _parse_field(rows, fields, field) for field in EVENT_FIELDS}
    events, errors = dict[int, Event](), dict[int, str]()
    for name, column in parsed.items():
        for index, reason in column.errors.items():
            errors.setdefault(index, f"{name}: {reason}")
    for index, values in enumerate(zip(*(column.values for column in parsed.values()), strict=True)):
        if index in errors:
            continue
        try:
            events[index] = build_event(dict(zip(parsed, values, strict=True)), str(rows.numbers[index]))
        except ValueError as error:
            errors[index] = str(error)
    return events, errors


def _parse_field(rows: Rows, fields: FieldMap, field: EventField) -> ParsedColumn:
    column = fields.find_column(field.name)
    if column is None:
        default = field.type.default
        constant = fields.rules.constants.get(field.name, default) if default == "" else default
        return ParsedColumn([constant] * len(rows.numbers), {})
    values = rows.block.column(column)
    if field.type is TIMESTAMP:
        return columns.parse_column(values, partial(parse_epoch_ms, unit=parse_unit(column)))
    if field.type is DURATION:
        return columns.parse_column(values, partial(parse_duration_ms, unit=fields.find_unit(column)))
    return PARSERS[field.type](values)
