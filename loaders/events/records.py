"""Events of records in files: what cannot be read in an optional field is left out, and costs no row."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from reelrank.index_mappings.event import Event
from reelrank.index_mappings.item import make_item_id
from reelrank.loaders.events.event_rows import (
    KIND_OF_ACTION,
    UnknownAction,
    format_error,
    parse_valid_event,
)
from reelrank.loaders.fields.field_errors import list_errors

REQUIRED_FIELDS = {
    "id", "kind", "user", "at_ms", "at", "item", "action_name", "timestamp", "user_id", "client_id",
}  # fmt: skip
"""Fields without which a row is no event; an unreadable one rejects the row."""


def parse_event_of_file(
    row: Mapping[str, Any], now: datetime, row_number: str
) -> tuple[Event, dict[str, str]]:
    """Returns the event of a row of a file, and the reasons why optional fields were left out.

    Ids of items are converted as in a catalogue. Raises ValueError as `parse_event` does.
    """
    action = row.get("action_name")
    if isinstance(action, str) and action.lower() not in KIND_OF_ACTION:
        raise UnknownAction("action_name", action, KIND_OF_ACTION)
    row = _convert_item_id(row)
    ignored = dict[str, str]()
    while True:
        try:
            return parse_valid_event(row, now, row_number), ignored
        except ValidationError as error:
            (first, *_) = error.errors()
            shorter = _leave_out(row, [str(part) for part in first["loc"]])
            if shorter is None:
                raise ValueError("; ".join(format_error(part) for part in list_errors(error))) from error
            row = shorter
            ignored[str(first["loc"][-1])] = format_error(first)


def _leave_out(row: Mapping[str, Any], path: Sequence[str]) -> dict[str, Any] | None:
    """Returns the row without an optional field, also where UBI has it; None for a required field."""
    name, *inner = path
    attributes = row.get("event_attributes")
    if name in REQUIRED_FIELDS or "object" in inner:
        return None
    if name == "event_attributes" and inner and isinstance(attributes, Mapping):
        name = inner[0]
    elif name in row:
        return {other: value for other, value in row.items() if other != name}
    if isinstance(attributes, Mapping) and name in attributes:
        others = {other: value for other, value in attributes.items() if other != name}
        return {**row, "event_attributes": others}
    return None


def _convert_item_id(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns a row whose item has the id that a catalogue load gives it."""
    if isinstance(item := row.get("item"), str):
        return row if (item_id := make_item_id(item)) == item else {**row, "item": item_id}
    attributes = row.get("event_attributes")
    item = attributes.get("object") if isinstance(attributes, Mapping) else None
    if not isinstance(item, Mapping) or not isinstance(item.get("object_id"), str):
        return row
    item_id = make_item_id(item["object_id"])
    if item_id == item["object_id"]:
        return row
    return {**row, "event_attributes": {**row["event_attributes"], "object": {**item, "object_id": item_id}}}
