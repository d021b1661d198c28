"""Blocks of rows made into events: UBI records as they are, other rows by their columns."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from reelrank.index_mappings.event import EVENT_KINDS, Event
from reelrank.index_mappings.item import ID_PATTERN, MAX_ID_LENGTH
from reelrank.loaders.events.event_rows import KIND_OF_ACTION, hash_content, is_ubi, parse_event
from reelrank.loaders.fields import columns
from reelrank.loaders.fields.columns import ParsedColumn
from reelrank.loaders.fields.field_map import Field, FieldMap, parse_unit
from reelrank.loaders.fields.times import MAX_EPOCH_MS, parse_duration_ms, parse_epoch_ms
from reelrank.loaders.files.rows import Reject, Rows
from reelrank.loaders.items.item_rows import build_rejects

EVENT_FIELDS = (
    Field("id", ("id", "event_id", "eventid", "uuid")),
    Field("kind", ("kind", "action_name", "event_type", "event", "action", "type"), required=True),
    Field("user", ("user", "user_id", "viewer", "viewer_id", "userid", "profile_id", "client_id"),
          required=True),
    Field("at_ms", ("at_ms", "timestamp", "timestamp_ms", "time", "at", "ts", "event_time", "occurred_at",
                    "created_at", "date"), required=True),
    Field("item", ("item", "item_id", "video_id", "movie_id", "film_id", "content_id", "asset_id",
                   "object_id", "itemid", "videoid", "movieid"), required=True),
    Field("watched_ms", ("watched_ms", "watched_s", "watched", "watch_time_ms", "watch_time_s", "watch_time",
                         "watched_seconds", "played_ms", "played_s"), length=True),
    Field("duration_ms", ("duration_ms", "duration_s", "duration_min", "duration_seconds", "duration",
                          "length_s", "length_ms", "runtime_min"), length=True),
    Field("request_id", ("request_id", "query_id", "search_id")),
    Field("position", ("position", "rank")),
    Field("text", ("text", "query", "search_text", "user_query", "q")),
    Field("device", ("device", "device_type", "platform")),
    Field("country", ("country", "country_code")),
    Field("degraded", ("degraded",)),
    Field("propensity", ("propensity",)),
    Field("came_from", ("came_from",)),
    Field("simulated", ("simulated",)),
)  # fmt: skip
"""Fields of `Event` and the column names that fill them by themselves."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)  # never read: a UBI record states its moment
ParsedEvents = tuple[dict[int, Event], dict[int, str]]
"""By the place of its row: each event, and each fault."""
LENGTH_FIELDS = ("watched_ms", "duration_ms")
INTEGER_FIELDS = ("position", "came_from")
PROPENSITY_FIELD = "propensity"
NON_TEXT_FIELDS = ("at_ms", *LENGTH_FIELDS, *INTEGER_FIELDS, PROPENSITY_FIELD)
FIELDS_NOT_IN_CONTENT_ID = ("degraded", "propensity", "came_from")
"""No part of a row's content: a file that was loaded before they were known doubles nothing when it is loaded
again."""


@dataclass(frozen=True, slots=True)
class CheckedEvents:
    """Every row is either an event or a reject."""

    events: list[Event]
    rejects: list[Reject]


def parse_event_rows(rows: Rows, fields: FieldMap | None, latest_ms: int = MAX_EPOCH_MS) -> CheckedEvents:
    """Of UBI records (fields None), or by columns. A row without an id gets one of its content and number."""
    made, faults = _parse_records(rows) if fields is None else _parse_columns(rows, fields)
    late = {place: event for place, event in made.items() if event.at_ms > latest_ms}
    faults |= {place: f"at_ms: {event.at_ms} is in the future" for place, event in late.items()}
    events = [event for place, event in made.items() if place not in late]
    return CheckedEvents(events, [*rows.unreadable, *build_rejects(rows, faults)])


def has_ubi_rows(rows: Rows) -> bool:
    """Whether the rows are UBI records. A flat table with a column `action_name` is read by its columns."""
    names = dict.fromkeys(rows.block.names)
    return "event_attributes" in names or ("action_name" not in names and is_ubi(names))


def build_event(values: Mapping[str, Any], row_number: str) -> Event:
    """Of parsed values by the names of `Event`. Raises ValueError that names the field."""
    kind = KIND_OF_ACTION.get(values["kind"].lower())
    if kind is None:
        raise ValueError(f"kind: {values['kind']!r} is none of {', '.join(EVENT_KINDS)}")
    if not values["user"]:
        raise ValueError("user: it is missing")
    if values["at_ms"] is None:
        raise ValueError("at_ms: it is missing")
    item = values["item"]
    if not item and kind != "search":
        raise ValueError(f"item: it is missing, and only a search is of none, not a {kind}")
    if item and not ID_PATTERN.fullmatch(item):
        raise ValueError(
            f"item: {item!r} is not 1 to {MAX_ID_LENGTH} printable ASCII characters without a space"
        )
    stated = {**values, "kind": kind}
    told = {name: fact for name, fact in stated.items() if name not in FIELDS_NOT_IN_CONTENT_ID}
    return Event(**{**stated, "id": values["id"] or hash_content(told, row_number)})


def _parse_records(rows: Rows) -> ParsedEvents:
    events, faults = dict[int, Event](), dict[int, str]()
    for place, record in enumerate(rows.block.records()):
        try:
            events[place] = parse_event(record, EPOCH, str(rows.numbers[place]))
        except ValueError as error:
            faults[place] = str(error)
    return events, faults


def _parse_columns(rows: Rows, fields: FieldMap) -> ParsedEvents:
    found = {each.name: _parse_field(rows, fields, each.name) for each in EVENT_FIELDS}
    events, faults = dict[int, Event](), dict[int, str]()
    for name, values in found.items():
        for place, fault in values.errors.items():
            faults.setdefault(place, f"{name}: {fault}")
    for place, facts in enumerate(zip(*(values.values for values in found.values()), strict=True)):
        if place in faults:
            continue
        try:
            stated = dict(zip(found, facts, strict=True))
            events[place] = build_event(stated, str(rows.numbers[place]))
        except ValueError as error:
            faults[place] = str(error)
    return events, faults


def _parse_field(rows: Rows, fields: FieldMap, name: str) -> ParsedColumn:
    size = len(rows.numbers)
    column = fields.find_column(name)
    if column is None:
        missing: Any = None if name in NON_TEXT_FIELDS else fields.rules.constants.get(name, "")
        return ParsedColumn([False if name == "simulated" else missing] * size, {})
    values = rows.block.column(column)
    if name == "at_ms":
        unit = parse_unit(column)
        return columns.parse_column(values, lambda value: parse_epoch_ms(value, unit))
    if name in LENGTH_FIELDS:
        length_unit = fields.find_unit(column)
        return columns.parse_column(values, lambda value: parse_duration_ms(value, length_unit))
    if name in INTEGER_FIELDS:
        return columns.parse_integer_column(values)
    if name == PROPENSITY_FIELD:
        return columns.parse_number_column(values)
    return columns.parse_flag_column(values) if name == "simulated" else columns.parse_text_column(values)
