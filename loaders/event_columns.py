"""Blocks of rows made into events: UBI records as they are, other rows by their columns."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from index_mappings.event import EVENT_KINDS, Event
from index_mappings.item import ID_PATTERN, MAX_ID_LENGTH
from loaders import columns
from loaders.columns import Values
from loaders.event_rows import KIND_OF_ACTION, event_of, id_of_content, is_ubi
from loaders.field_map import Field, FieldMap, unit_in_name
from loaders.item_rows import rejected
from loaders.moments import LAST_MS, instant_ms_of, length_ms_of
from loaders.rows import Reject, Rows

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

BEFORE_ALL = datetime(1970, 1, 1, tzinfo=UTC)  # never read: a UBI record states its moment
Made = tuple[dict[int, Event], dict[int, str]]
"""By the place of its row: each event, and each fault."""
LENGTHS = ("watched_ms", "duration_ms")
NUMBERS = ("position", "came_from")
CHANCE = "propensity"
NOT_TEXT = ("at_ms", *LENGTHS, *NUMBERS, CHANCE)
LATER_FIELDS = ("degraded", "propensity", "came_from")
"""No part of a row's content: a file that was loaded before they were known doubles nothing when it is loaded
again."""


@dataclass(frozen=True, slots=True)
class CheckedEvents:
    """Every row is either an event or a reject."""

    events: list[Event]
    rejects: list[Reject]


def events_of(rows: Rows, fields: FieldMap | None, latest_ms: int = LAST_MS) -> CheckedEvents:
    """Of UBI records (fields None), or by columns. A row without an id gets one of its content and number."""
    made, faults = _by_record(rows) if fields is None else _by_columns(rows, fields)
    late = {place: event for place, event in made.items() if event.at_ms > latest_ms}
    faults |= {place: f"at_ms: {event.at_ms} is in the future" for place, event in late.items()}
    events = [event for place, event in made.items() if place not in late]
    return CheckedEvents(events, [*rows.unreadable, *rejected(rows, faults)])


def are_ubi(rows: Rows) -> bool:
    """Whether the rows are UBI records. A flat table with a column `action_name` is read by its columns."""
    names = dict.fromkeys(rows.block.names)
    return "event_attributes" in names or ("action_name" not in names and is_ubi(names))


def checked_event(facts: Mapping[str, Any], place: str) -> Event:
    """Of parsed values by the names of `Event`. Raises ValueError that names the field."""
    kind = KIND_OF_ACTION.get(facts["kind"].lower())
    if kind is None:
        raise ValueError(f"kind: {facts['kind']!r} is none of {', '.join(EVENT_KINDS)}")
    if not facts["user"]:
        raise ValueError("user: it is missing")
    if facts["at_ms"] is None:
        raise ValueError("at_ms: it is missing")
    item = facts["item"]
    if not item and kind != "search":
        raise ValueError(f"item: it is missing, and only a search is of none, not a {kind}")
    if item and not ID_PATTERN.fullmatch(item):
        raise ValueError(
            f"item: {item!r} is not 1 to {MAX_ID_LENGTH} printable ASCII characters without a space"
        )
    stated = {**facts, "kind": kind}
    told = {name: fact for name, fact in stated.items() if name not in LATER_FIELDS}
    return Event(**{**stated, "id": facts["id"] or id_of_content(told, place)})


def _by_record(rows: Rows) -> Made:
    events, faults = dict[int, Event](), dict[int, str]()
    for place, record in enumerate(rows.block.records()):
        try:
            events[place] = event_of(record, BEFORE_ALL, str(rows.numbers[place]))
        except ValueError as error:
            faults[place] = str(error)
    return events, faults


def _by_columns(rows: Rows, fields: FieldMap) -> Made:
    found = {each.name: _values(rows, fields, each.name) for each in EVENT_FIELDS}
    events, faults = dict[int, Event](), dict[int, str]()
    for name, values in found.items():
        for place, fault in values.faults.items():
            faults.setdefault(place, f"{name}: {fault}")
    for place, facts in enumerate(zip(*(values.values for values in found.values()), strict=True)):
        if place in faults:
            continue
        try:
            stated = dict(zip(found, facts, strict=True))
            events[place] = checked_event(stated, str(rows.numbers[place]))
        except ValueError as error:
            faults[place] = str(error)
    return events, faults


def _values(rows: Rows, fields: FieldMap, name: str) -> Values:
    size = len(rows.numbers)
    column = fields.column(name)
    if column is None:
        missing: Any = None if name in NOT_TEXT else fields.rules.constants.get(name, "")
        return Values([False if name == "simulated" else missing] * size, {})
    values = rows.block.column(column)
    if name == "at_ms":
        unit = unit_in_name(column)
        return columns.parsed(values, lambda value: instant_ms_of(value, unit))
    if name in LENGTHS:
        length_unit = fields.unit(column)
        return columns.parsed(values, lambda value: length_ms_of(value, length_unit))
    if name in NUMBERS:
        return columns.integers(values)
    if name == CHANCE:
        return columns.numbers(values)
    return columns.flags(values) if name == "simulated" else columns.texts(values)
