"""Event and the table of its fields."""

from types import NoneType
from typing import Any, Literal, get_args, get_origin

import pyarrow as pa
import pytest

from reelrank.index_mappings.errors import BadRequest
from reelrank.index_mappings.event import (
    EVENT_FIELDS,
    EVENT_KINDS,
    EVENT_SCHEMA,
    EVENT_VERSION,
    EXPOSURE_KINDS,
    USER_ACTIONS,
    Event,
    EventField,
)
from reelrank.index_mappings.event_store import select_event_schema
from tests.raised import raises_code

PYTHON_TYPES = {pa.string(): str, pa.bool_(): bool, pa.int32(): int, pa.int64(): int, pa.float64(): float}
NUMBERS = [field for field in EVENT_FIELDS if field.type.low is not None]
IMPRESSION: dict[str, Any] = {"id": "1", "kind": "impression", "user": "ada", "at_ms": 5, "item": "alien"}
SLOT: dict[str, Any] = {"position": 10, "came_from": 12, "propensity": 0.5}


@pytest.mark.parametrize("field", EVENT_FIELDS, ids=lambda field: field.name)
def test_the_attribute_of_a_field_has_the_type_that_is_stored(field: EventField) -> None:
    is_choice = get_origin(field.python_type) is Literal
    parts = {str} if is_choice else set(get_args(field.python_type) or [field.python_type])
    assert parts - {NoneType} == {PYTHON_TYPES[field.type.arrow]}
    assert field.is_nullable == (NoneType in parts)


def test_an_event_without_optional_fields_has_the_defaults_of_types() -> None:
    event = Event("1", "search", "ada", 5)
    optional = [field for field in EVENT_FIELDS if not field.is_required]
    assert {field.name: getattr(event, field.name) for field in optional} == {
        field.name: field.type.default for field in optional
    }


def test_fields_are_appended_and_later_ones_are_optional() -> None:
    versions = [field.since for field in EVENT_FIELDS]
    assert versions == sorted(versions)
    assert set(versions) == set(range(1, EVENT_VERSION + 1))
    assert not any(field.is_required for field in EVENT_FIELDS if field.since > 1)


@pytest.mark.parametrize("field", NUMBERS, ids=lambda field: field.name)
def test_a_number_that_cannot_be_stored_is_no_event(field: EventField) -> None:
    assert field.type.low is not None
    assert field.type.high is not None
    for number in (field.type.low - 1, field.type.high + 1, float("nan")):
        with pytest.raises(ValueError, match=f"{field.name}: .* is not between"):
            Event(**{**IMPRESSION, **SLOT, field.name: number})


@pytest.mark.parametrize(
    "changes", [{"came_from": None}, {"position": None}, {"propensity": None}, {"kind": "viewed"}]
)
def test_an_exploration_slot_is_whole_and_of_an_impression(changes: dict[str, Any]) -> None:
    Event(**IMPRESSION, **SLOT)
    with pytest.raises(ValueError, match="propensity: give it with came_from and position"):
        Event(**{**IMPRESSION, **SLOT, **changes})


def test_every_kind_is_an_action_or_an_exposure() -> None:
    assert sorted((*USER_ACTIONS, *EXPOSURE_KINDS)) == sorted(EVENT_KINDS)


def test_selected_columns_are_in_the_order_asked() -> None:
    assert select_event_schema(("item", "id")).names == ["item", "id"]
    assert select_event_schema(None) == EVENT_SCHEMA


def test_an_unknown_column_is_named() -> None:
    with raises_code(BadRequest, "unknown_event_field", match="mood; its fields are id, kind"):
        select_event_schema(["id", "mood"])
