"""One event from one row of JSON: in our own shape, or in that of User Behavior Insights 1.3 as it is."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Self

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from reelrank.index_mappings.event import Event, EventKind
from reelrank.index_mappings.item import ID_PATTERN

KIND_OF_ACTION: dict[str, EventKind] = {
    "impression": "impression",
    "view": "impression",
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
    "search": "search",
    "query": "search",
}
"""UBI's common action names, and ours, to what we make of them; UBI leaves the list open."""

MAX_CLOCK_SKEW = timedelta(minutes=5)
"""How far ahead a client's clock may be; an event of the far future would age all the others."""
MAX_MS = 253_402_300_800_000
"""The end of the year 9999."""
ItemId = Annotated[str, Field(pattern=f"^({ID_PATTERN.pattern})?$")]
Milliseconds = Annotated[int, Field(ge=0, le=MAX_MS)]
Text = Annotated[str, Field(max_length=1024)]


class EventRow(BaseModel):
    """`Event`'s own fields; the moment as at_ms or as ISO 8601 `at`, now when neither is stated."""

    model_config = ConfigDict(extra="forbid")

    id: Annotated[str, Field(max_length=128)] = ""
    kind: EventKind
    user: Annotated[str, Field(min_length=1, max_length=128)]
    at_ms: Milliseconds | None = None
    at: datetime | None = None
    item: ItemId = ""
    watched_ms: Milliseconds | None = None
    duration_ms: Milliseconds | None = None
    request_id: Annotated[str, Field(max_length=128)] = ""
    position: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    text: Text = ""
    device: Annotated[str, Field(max_length=64)] = ""
    country: Annotated[str, Field(max_length=64)] = ""
    degraded: Text = ""
    propensity: Annotated[float, Field(gt=0, le=1)] | None = None
    came_from: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    simulated: bool = False

    @model_validator(mode="after")
    def _require_item(self) -> Self:
        if self.kind != "search" and not self.item:
            raise ValueError(f"item: a {self.kind} names an item; only a search does not")
        return self


class _Object(BaseModel):
    object_id: str | int


class _Position(BaseModel):
    ordinal: int | None = None


class _Attributes(BaseModel):
    """What UBI leaves open holds watch time, and may hold an id, a device and a country."""

    object: _Object | None = None
    position: _Position | None = None
    watched_ms: Milliseconds | None = None
    duration_ms: Milliseconds | None = None
    event_id: str = ""
    device: str = ""
    country: str = ""


class UbiRow(BaseModel):
    """The fields of a UBI 1.3 event that we read; others are passed over, as the standard allows."""

    action_name: str = "search"
    timestamp: datetime
    query_id: str = ""
    client_id: str = ""
    user_id: str | None = None
    message: str = ""
    user_query: str = ""
    event_attributes: _Attributes = _Attributes()


def is_ubi(row: Mapping[str, Any]) -> bool:
    """Whether a row is a UBI event, or a UBI query, which counts as a search."""
    return "action_name" in row or ("user_query" in row and "query_id" in row)


def parse_event(row: object, now: datetime, row_number: str = "") -> Event:
    """Raises ValueError that names the field and what is wrong with it.

    A row without an id gets one made of its content and its place, so that the same row at the same
    place counts once. place: "" where there is none to tell, as over HTTP.
    """
    if not isinstance(row, Mapping):
        raise ValueError(f"an event is an object with fields, not {type(row).__name__}")
    try:
        if is_ubi(row):
            return _from_ubi(UbiRow.model_validate(_drop_nulls(row)), row, row_number)
        return _to_event(EventRow.model_validate(row), row, now, row_number)
    except ValidationError as error:
        raise ValueError("; ".join(_format_error(each) for each in error.errors())) from error


def _to_event(event_row: EventRow, row: Mapping[str, Any], now: datetime, row_number: str) -> Event:
    if event_row.at is not None and event_row.at_ms is not None:
        raise ValueError("at: at_ms is stated too; keep one of them")
    at_ms = event_row.at_ms if event_row.at_ms is not None else _to_ms(event_row.at or now)
    facts = event_row.model_dump(exclude={"at", "at_ms", "id"})
    timeless = event_row.at is None and event_row.at_ms is None
    told = {**row, "at_ms": at_ms} if timeless else row
    return Event(id=event_row.id or hash_content(told, row_number), at_ms=at_ms, **facts)


def _from_ubi(ubi: UbiRow, row: Mapping[str, Any], row_number: str) -> Event:
    kind = KIND_OF_ACTION.get(ubi.action_name.lower())
    if kind is None:
        known = ", ".join(KIND_OF_ACTION)
        raise ValueError(f"action_name: {ubi.action_name!r} means nothing here; known are {known}")
    attributes = ubi.event_attributes
    ordinal = attributes.position.ordinal if attributes.position else None
    own = EventRow(
        id=attributes.event_id,
        kind=kind,
        user=ubi.user_id or ubi.client_id,
        at_ms=_to_ms(ubi.timestamp),
        item=str(attributes.object.object_id) if attributes.object else "",
        watched_ms=attributes.watched_ms,
        duration_ms=attributes.duration_ms,
        request_id=ubi.query_id,
        position=None if ordinal is None else max(ordinal - 1, 0),  # UBI counts from 1
        text=ubi.user_query or (ubi.message if kind == "search" else ""),
        device=attributes.device,
        country=attributes.country,
    )
    return _to_event(own, row, ubi.timestamp, row_number)


def _drop_nulls(row: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is null: a column file has every field in every row."""
    deep = {name: _drop_nulls(value) if isinstance(value, Mapping) else value for name, value in row.items()}
    return {name: value for name, value in deep.items() if value is not None}


def _to_ms(timestamp: datetime) -> int:
    """UBI allows a moment without an offset: UTC."""
    aware = timestamp if timestamp.tzinfo is not None else timestamp.replace(tzinfo=UTC)
    return round(aware.timestamp() * 1000)


def hash_content(row: Mapping[str, Any], row_number: str) -> str:
    """The id of an event that states none."""
    told = orjson.dumps(row, option=orjson.OPT_SORT_KEYS, default=str)
    return hashlib.sha256(told + row_number.encode()).hexdigest()[:32]


def _format_error(error: Any) -> str:
    field = ".".join(str(part) for part in error["loc"])
    said = error["msg"].removeprefix("Value error, ")
    return f"{field}: {said}" if field else said
