"""One event from one JSON row: in the shape of `Event`, or a User Behavior Insights 1.3 record as it is."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, create_model

from reelrank.index_mappings.event import EVENT_FIELDS, Event, EventField, EventKind
from reelrank.loaders.fields.field_errors import list_errors

KIND_OF_ACTION: dict[str, EventKind] = {
    "impression": "impression",
    "view": "impression",
    "viewed": "viewed",
    "click": "click",
    "click_through": "click",
    "watch": "watch",
    "play": "watch",
    "purchase": "subscribe",
    "subscribe": "subscribe",
    "follow": "subscribe",
    "like": "like",
    "favorite": "like",
    "favourite": "like",
    "dislike": "dislike",
    "thumbs_down": "dislike",
    "not_interested": "not_interested",
    "hide": "not_interested",
    "undo": "undo",
    "unlike": "undo",
    "unsubscribe": "undo",
    "unfollow": "undo",
    "search": "search",
    "query": "search",
}
"""The kind of event for UBI's common action names and for our own; UBI leaves the list open."""

MAX_CLOCK_SKEW = timedelta(minutes=5)
"""How far ahead the clock of a client may be: an event in the far future would make all others look old."""
MAX_MS = 253_402_300_800_000
"""The end of the year 9999."""


def _check_number(value: Any) -> Any:
    """Rejects true and false, which pydantic would turn into 1 and 0."""
    if isinstance(value, bool):
        raise ValueError("send a number")
    return value


Milliseconds = Annotated[int, Field(ge=0, le=MAX_MS), BeforeValidator(_check_number)]


SERVER_DEFAULTS: dict[str, Any] = {"id": "", "at_ms": None}
"""Fields that a row may leave out although `Event` requires them. The id is then a hash of the content, and
the time is that at which the row is read."""


class _RowTime(BaseModel):
    """A row may give its time as ISO 8601 in place of at_ms."""

    model_config = ConfigDict(extra="forbid")

    at: datetime | None = None


def _constrain(field: EventField) -> Any:
    """Returns the type of a field in a JSON row, with its limits."""
    if field.type.low is not None:
        bounds = Field(ge=max(field.type.low, 0), le=min(field.type.high or 0, MAX_MS))
        return Annotated[field.python_type, bounds, BeforeValidator(_check_number)]
    if field.python_type is not str:
        return field.python_type
    min_length = 1 if field.is_required and field.name not in SERVER_DEFAULTS else 0
    limits = Field(min_length=min_length, max_length=field.max_length, pattern=field.pattern)
    return Annotated[str, limits]


def _define_row_fields() -> dict[str, Any]:
    defaults = {field.name: ... if field.is_required else field.type.default for field in EVENT_FIELDS}
    defaults |= SERVER_DEFAULTS
    definitions: dict[str, Any] = {
        field.name: (_constrain(field), Field(defaults[field.name], description=field.description))
        for field in EVENT_FIELDS
    }
    definitions["at_ms"] = (Milliseconds | None, definitions["at_ms"][1])
    return definitions


EventRow: type[BaseModel] = create_model("EventRow", __base__=_RowTime, **_define_row_fields())
"""A JSON row in the shape of `Event`."""


class _Object(BaseModel):
    object_id: str | int


class _Position(BaseModel):
    ordinal: int | None = None


class _Attributes(BaseModel):
    """UBI leaves the attributes open. They may state watch times, an id, a device and a country."""

    object: _Object | None = None
    position: _Position | None = None
    watched_ms: Milliseconds | None = None
    duration_ms: Milliseconds | None = None
    event_id: str = ""
    device: str = ""
    country: str = ""


class UbiRow(BaseModel):
    """The fields of a UBI 1.3 event that are read. Others are ignored, as the standard allows."""

    action_name: str = "search"
    timestamp: datetime
    query_id: str = ""
    session_id: str | int = ""
    client_id: str = ""
    user_id: str | None = None
    message: str = ""
    user_query: str = ""
    event_attributes: _Attributes = _Attributes()


def is_ubi(row: Mapping[str, Any]) -> bool:
    """Returns whether a row is a UBI event, or a UBI query, which counts as a search."""
    return "action_name" in row or ("user_query" in row and "query_id" in row)


class UnknownAction(ValueError):
    """An event of a kind that is not stored, such as a scroll. field: where the row states it."""

    def __init__(self, field: str, action: str, known: Iterable[str]) -> None:
        super().__init__(f"{field}: {action!r} is unknown; use one of {', '.join(known)}")
        self.action = action


def parse_event(row: object, now: datetime, row_number: str = "") -> Event:
    """Returns the event of one row. Raises ValueError that names the field and what is wrong with it.

    An event without an id gets a hash of its content and its row number, so that the same row of the same
    file counts once. row_number: "" where there is none, as over HTTP. now: the time of a row without one.
    """
    try:
        return parse_valid_event(row, now, row_number)
    except ValidationError as error:
        raise ValueError("; ".join(format_error(part) for part in list_errors(error))) from error


def parse_valid_event(row: object, now: datetime, row_number: str) -> Event:
    """Returns the event of one row. Raises pydantic's ValidationError, or ValueError."""
    if not isinstance(row, Mapping):
        raise ValueError(f"an event is an object with fields, not {type(row).__name__}")
    if is_ubi(row):
        return _from_ubi(UbiRow.model_validate(_drop_nulls(row)), row, row_number)
    return _to_event(row, row, now, row_number)


def check_item(kind: EventKind, item: str) -> None:
    """Raises ValueError if an event of this kind needs an item and has none."""
    if not item and kind != "search":
        article = "an" if kind == "impression" else "a"
        raise ValueError(f"item: {article} {kind} names an item; only a search does not")


def _to_event(
    fields: Mapping[str, Any], source_row: Mapping[str, Any], now: datetime, row_number: str
) -> Event:
    """Builds an event of fields by the names of `Event`. source_row: the row that its id is a hash of."""
    values = EventRow.model_validate(fields).model_dump()
    at = values.pop("at")
    if at is not None and values["at_ms"] is not None:
        raise ValueError("at: at_ms is stated too; keep one of them")
    check_item(values["kind"], values["item"])
    if values["at_ms"] is None:
        values["at_ms"] = _check_ms(_to_ms(at or now))
        if at is None:
            source_row = {**source_row, "at_ms": values["at_ms"]}
    return Event(**{**values, "id": values["id"] or hash_content(source_row, row_number)})


def _from_ubi(ubi: UbiRow, row: Mapping[str, Any], row_number: str) -> Event:
    kind = KIND_OF_ACTION.get(ubi.action_name.lower())
    if kind is None:
        raise UnknownAction("action_name", ubi.action_name, KIND_OF_ACTION)
    attributes = ubi.event_attributes
    ordinal = attributes.position.ordinal if attributes.position else None
    fields = {
        "id": attributes.event_id,
        "kind": kind,
        "user": ubi.user_id or ubi.client_id,
        "at_ms": _to_ms(ubi.timestamp),
        "item": str(attributes.object.object_id) if attributes.object else "",
        "watched_ms": attributes.watched_ms,
        "duration_ms": attributes.duration_ms,
        "request_id": ubi.query_id,
        "position": None if ordinal is None else max(ordinal - 1, 0),  # UBI counts from 1
        "text": ubi.user_query or (ubi.message if kind == "search" else ""),
        "device": attributes.device,
        "country": attributes.country,
        "session": str(ubi.session_id),
    }
    return _to_event(fields, row, ubi.timestamp, row_number)


def _check_ms(at_ms: int) -> int:
    """Raises ValueError for a time before 1970 or after the year 9999."""
    if not 0 <= at_ms <= MAX_MS:
        raise ValueError("at: the time is not between the years 1970 and 9999")
    return at_ms


def _drop_nulls(row: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the row without nulls: a columnar file has every field in every row."""
    deep = {name: _drop_nulls(value) if isinstance(value, Mapping) else value for name, value in row.items()}
    return {name: value for name, value in deep.items() if value is not None}


def _to_ms(timestamp: datetime) -> int:
    """Converts to ms since 1970. UBI allows a time without an offset; it is read as UTC."""
    aware = timestamp if timestamp.tzinfo is not None else timestamp.replace(tzinfo=UTC)
    return round(aware.timestamp() * 1000)


def hash_content(row: Mapping[str, Any], row_number: str) -> str:
    """Returns the id of an event that does not state one."""
    content = orjson.dumps(row, option=orjson.OPT_SORT_KEYS, default=str)
    return hashlib.sha256(content + row_number.encode()).hexdigest()[:32]


def format_error(error: Any) -> str:
    """Returns an error of pydantic as one line."""
    field = ".".join(str(part) for part in error["loc"])
    message = error["msg"].removeprefix("Value error, ")
    return f"{field}: {message}" if field else message
