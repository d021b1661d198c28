"""Blocks of rows converted to events: UBI records as they are, other rows by their columns."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
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
from reelrank.index_mappings.item import make_item_id
from reelrank.loaders.events.column_names import REQUIRED_COLUMNS
from reelrank.loaders.events.event_rows import KIND_OF_ACTION, UnknownAction, check_item, hash_content, is_ubi
from reelrank.loaders.events.records import parse_event_of_file
from reelrank.loaders.fields import columns
from reelrank.loaders.fields.columns import ParsedColumn
from reelrank.loaders.fields.dates import MAX_EPOCH_MS, parse_epoch_ms
from reelrank.loaders.fields.durations import parse_duration_ms
from reelrank.loaders.fields.field_map import FieldMap
from reelrank.loaders.files.rows import Column, Reject, Rows
from reelrank.loaders.items.item_rows import build_rejects
from reelrank.loaders.report import ValueCounts, count_values

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)  # never used: every UBI record states its time
PARSERS: dict[FieldType, Callable[[Column], ParsedColumn]] = {
    KEYWORD: partial(columns.parse_text_column, is_optional=True),
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


@dataclass(slots=True)
class CheckedEvents:
    """Every row is either an event or a reject. unknown_actions: how many rejects have each of them.

    first_invalid: the first reject that is none of those.
    """

    events: list[Event] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    unknown_actions: Counter[str] = field(default_factory=Counter)
    values: dict[str, ValueCounts] = field(default_factory=dict)
    first_invalid: Reject | None = None


@dataclass(slots=True)
class RowResults:
    """Events, reasons of rejects, unknown actions, and reasons of values that were left out, by row index."""

    events: dict[int, Event] = field(default_factory=dict)
    errors: dict[int, str] = field(default_factory=dict)
    ignored: dict[str, dict[int, str]] = field(default_factory=dict)
    unknown_actions: dict[int, str] = field(default_factory=dict)

    def reject(self, index: int, error: ValueError) -> None:
        self.errors[index] = str(error)
        if isinstance(error, UnknownAction):
            self.unknown_actions[index] = error.action


def parse_event_rows(
    rows: Rows, fields: FieldMap | None, latest_ms: int = MAX_EPOCH_MS, is_strict: bool = False
) -> CheckedEvents:
    """Parses UBI records (fields is None), or rows by their columns. Rejects rows later than latest_ms.

    A row without an id gets a hash of its content and row number as its id. An unreadable value of an
    optional field is left out; is_strict: it rejects its row.
    """
    results = _parse_records(rows) if fields is None else _parse_columns(rows, fields)
    if is_strict:
        for name, reasons in results.ignored.items():
            for index, reason in reasons.items():
                results.events.pop(index, None)
                results.errors.setdefault(index, f"{name}: {reason}")
        results.ignored = {}
    for index, event in list(results.events.items()):
        if event.at_ms > latest_ms:
            results.errors[index] = f"at_ms: {event.at_ms} is in the future"
            del results.events[index]
    events = list(results.events.values())
    values = {
        name: count_values([getattr(event, name) for event in events])
        for name in (event_field.name for event_field in EVENT_FIELDS)
    }
    for name, reasons in results.ignored.items():
        index, reason = min(reasons.items())
        first = f"row {int(rows.numbers[index])}: {reason}"
        counts = values.get(name, ValueCounts(missing=len(reasons)))
        missing = max(counts.missing - len(reasons), 0)
        values[name] = replace(counts, ignored=len(reasons), first_ignored=first, missing=missing)
    rejects = [*rows.unreadable, *build_rejects(rows, results.errors)]
    return CheckedEvents(
        events, rejects, Counter(results.unknown_actions.values()), values, _find_invalid(rows, results)
    )


def _find_invalid(rows: Rows, results: RowResults) -> Reject | None:
    """Returns the first reject that is not an event of an unknown kind."""
    if rows.unreadable:
        return rows.unreadable[0]
    invalid = sorted(results.errors.keys() - results.unknown_actions.keys())[:1]
    return next(iter(build_rejects(rows, {index: results.errors[index] for index in invalid})), None)


def has_ubi_rows(rows: Rows) -> bool:
    """Returns whether the rows are UBI records.

    A flat table with a column `action_name` is read by its columns.
    """
    names = dict.fromkeys(rows.block.names)
    return "event_attributes" in names or ("action_name" not in names and is_ubi(names))


def build_event(values: Mapping[str, Any], row_number: str) -> Event:
    """Builds an event of parsed values by the names of `Event`. Raises ValueError that names the field."""
    kind = KIND_OF_ACTION.get(values["kind"].lower())
    if kind is None:
        raise UnknownAction("kind", values["kind"], EVENT_KINDS)
    for name in ("user", "at_ms"):
        if values[name] in ("", None):
            raise ValueError(f"{name}: it is missing")
    item = make_item_id(values["item"])
    check_item(kind, item)
    complete = {**values, "kind": kind, "item": item}
    content = {name: value for name, value in complete.items() if name not in FIELDS_NOT_IN_CONTENT_ID}
    return Event(**{**complete, "id": values["id"] or hash_content(content, row_number)})


def _parse_records(rows: Rows) -> RowResults:
    results = RowResults()
    for index, record in enumerate(rows.block.records()):
        try:
            event, ignored = parse_event_of_file(record, EPOCH, str(rows.numbers[index]))
        except ValueError as error:
            results.reject(index, error)
            continue
        results.events[index] = event
        for name, reason in ignored.items():
            results.ignored.setdefault(name, {})[index] = reason
    return results


def _parse_columns(rows: Rows, fields: FieldMap) -> RowResults:
    parsed = {target.name: _parse_field(rows, fields, target) for target in EVENT_FIELDS}
    results = RowResults()
    for name, column in parsed.items():
        if name in REQUIRED_COLUMNS or name == "id":
            for index, reason in column.errors.items():
                results.errors.setdefault(index, f"{name}: {reason}")
        elif column.errors:
            results.ignored[name] = dict(column.errors)
    for index, values in enumerate(zip(*(column.values for column in parsed.values()), strict=True)):
        if index in results.errors:
            continue
        try:
            event = build_event(dict(zip(parsed, values, strict=True)), str(rows.numbers[index]))
            results.events[index] = event
        except ValueError as error:
            results.reject(index, error)
    return results


def _parse_field(rows: Rows, fields: FieldMap, field: EventField) -> ParsedColumn:
    column = fields.find_column(field.name)
    if column is None:
        default = field.type.default
        constant = fields.rules.constants.get(field.name, default) if default == "" else default
        return ParsedColumn([constant] * len(rows.numbers), {})
    values = rows.block.column(column)
    if field.type is TIMESTAMP:
        style = fields.find_date_style(column)
        return columns.parse_column(values, partial(parse_epoch_ms, style=style))
    if field.type is DURATION:
        return columns.parse_column(values, partial(parse_duration_ms, unit=fields.find_unit(column)))
    if field.name in CHOICES:
        return columns.parse_column(values, partial(_parse_choice, field.name), "")
    return PARSERS[field.type](values)


def _parse_choice(name: str, value: object) -> str:
    """Returns one of the words that a field may have. Raises ValueError."""
    text = str(value).strip()
    if text not in CHOICES[name]:
        known = ", ".join(choice for choice in CHOICES[name] if choice)
        raise ValueError(f"{text!r} is unknown; use one of {known}")
    return text
