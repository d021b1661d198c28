"""Events over HTTP: what viewers did and were shown, acknowledged when durable, each id once.

Kinds and fields: `index_mappings/event.py`. Rows and UBI names: `loaders/events/event_rows.py`.
"""

from datetime import datetime, timedelta
from typing import Any

import orjson
from flask import Response, jsonify, request
from flask_openapi import APIBlueprint

from reelrank.app.clock import to_ms
from reelrank.app.search.hydration import FETCH_TIMEOUT_S
from reelrank.app.search.service import SearchService
from reelrank.app.state.refresher import StateRefresher
from reelrank.app.web.access.key_limits import count_events
from reelrank.app.web.api.answer_models import EventsAnswer
from reelrank.app.web.openapi import create_api_blueprint, refer_to_model
from reelrank.app.web.problems import InvalidRequest
from reelrank.app.web.telemetry import EVENTS
from reelrank.index_mappings.engine import SearchEngine
from reelrank.index_mappings.errors import EngineError
from reelrank.index_mappings.event import Event
from reelrank.index_mappings.match import encode_item_ids
from reelrank.loaders.events.event_rows import MAX_CLOCK_SKEW, EventRow, parse_event
from reelrank.loaders.files.json_values import TOO_DEEP, is_too_deep

MAX_BATCH = 5000
SECONDS_AGE = timedelta(days=50 * 365)
"""A time whose thousandfold is of these years before now was sent in seconds: in ms it is of January 1970."""
MAX_REPORTED_ERRORS = 20
MAX_REPORTED_ITEMS = 100


def create_events_api(service: SearchService) -> APIBlueprint:
    api = create_api_blueprint("events", "What viewers did and were shown.")

    @api.post(
        "/events", request_body=describe_body(refer_to_model(api, EventRow)), responses={200: EventsAnswer}
    )
    def append_events() -> Response:
        """Store one event or a list, ours or UBI 1.3: all of them or, if one is invalid, none."""
        events = parse_events(request.get_data(), service.clock.now())
        count_events(len(events))
        report = service.record_events(events)
        EVENTS.labels("stored").inc(report.stored)
        EVENTS.labels("duplicate").inc(report.duplicates)
        unknown = find_unknown_items(events, service.refresher, service.engine)
        return jsonify(stored=report.stored, duplicates=report.duplicates, unknown_items=unknown)

    return api


def find_unknown_items(events: list[Event], refresher: StateRefresher, engine: SearchEngine) -> list[str]:
    """Returns the first ids, in the order of the events, that the catalogue does not hold.

    Empty when the engine does not answer: the events are stored all the same.
    """
    ids = list(dict.fromkeys(event.item for event in events if event.item))
    if not ids or not refresher.is_ready:
        return []
    rows = refresher.state.table.find_rows(encode_item_ids(ids))
    new = [item_id for item_id, row in zip(ids, rows.tolist(), strict=True) if row < 0]
    try:
        items = engine.fetch(new[:MAX_REPORTED_ITEMS], FETCH_TIMEOUT_S)
    except EngineError:
        return []
    return [item_id for item_id, item in zip(new, items, strict=False) if item is None]


def describe_body(event: dict[str, Any]) -> dict[str, Any]:
    """Returns the request body for OpenAPI. Flask does not parse it: UBI events have another shape."""
    events = {"type": "array", "items": event, "minItems": 1, "maxItems": MAX_BATCH}
    return {"content": {"application/json": {"schema": {"anyOf": [event, events]}}}, "required": True}


def parse_events(body: bytes, now: datetime) -> list[Event]:
    """Parses one event or a list. Raises InvalidRequest that names each invalid event by its index from 0."""
    rows = _parse_rows(body)
    if not 1 <= len(rows) <= MAX_BATCH:
        raise InvalidRequest(("body", f"it holds {len(rows)} events; send 1 to {MAX_BATCH}"))
    events, errors, code = list[Event](), list[tuple[str, str]](), ""
    for index, row in enumerate(rows):
        try:
            events.append(check_times(parse_event(row, now), now))
        except ValueError as error:
            code = code or getattr(error, "code", "invalid_request")
            errors.append((f"events.{index}", str(error)))
    if errors:
        raise InvalidRequest(*errors[:MAX_REPORTED_ERRORS], code=code)
    return events


class TimeInSeconds(ValueError):
    """A time in seconds where milliseconds are due."""

    code = "time_in_seconds"


class TimeInFuture(ValueError):
    """A time that is further ahead than clocks of clients may be."""

    code = "time_in_future"


def check_times(event: Event, now: datetime) -> Event:
    """Returns the event. Raises TimeInFuture, or TimeInSeconds for a time that is in seconds."""
    oldest_ms, latest_ms = to_ms(now - SECONDS_AGE), to_ms(now + MAX_CLOCK_SKEW)
    for name in ("at_ms", "started_ms"):
        time_ms = getattr(event, name)
        if time_ms is not None and oldest_ms <= 1000 * time_ms <= latest_ms:
            raise TimeInSeconds(f"{name}: {time_ms} is in seconds; send milliseconds: {1000 * time_ms}")
    if event.at_ms > latest_ms:
        raise TimeInFuture(f"at_ms: {event.at_ms} is in the future; correct the clock of the client")
    return event


def _parse_rows(body: bytes) -> list[Any]:
    try:
        rows = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(
            ("body", f"it is not JSON ({error}); send an event or a list of them")
        ) from error
    if is_too_deep(body, rows):
        raise InvalidRequest(("body", TOO_DEEP))
    return rows if isinstance(rows, list) else [rows]
