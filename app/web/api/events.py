"""Events over HTTP: what viewers did and were shown, acknowledged when durable, each id once.

Kinds and fields: `index_mappings/event.py`. Rows and UBI names: `loaders/events/event_rows.py`.
"""

from datetime import datetime
from typing import Any

import orjson
from flask import Response, jsonify, request
from flask_openapi import APIBlueprint, Tag

from reelrank.app.search.service import SearchService
from reelrank.app.web.problems import InvalidRequest
from reelrank.app.web.telemetry import EVENTS
from reelrank.index_mappings.event import Event
from reelrank.loaders.events.event_rows import MAX_CLOCK_SKEW, EventRow, parse_event

EVENTS_TAG = Tag(name="events", description="What viewers did and were shown.")
MAX_BATCH = 5000
MAX_REPORTED_ERRORS = 20


def create_events_api(service: SearchService) -> APIBlueprint:
    api = APIBlueprint("events", __name__, url_prefix="/v1", abp_tags=[EVENTS_TAG])

    @api.post("/events", request_body=describe_body())
    def append() -> Response:
        """Store one event or a list, ours or UBI 1.3: all of them or, if one is invalid, none."""
        report = service.record_events(parse_events(request.get_data(), service.clock.now()))
        EVENTS.labels("stored").inc(report.stored)
        EVENTS.labels("duplicate").inc(report.duplicates)
        return jsonify(stored=report.stored, duplicates=report.duplicates)

    return api


def describe_body() -> dict[str, Any]:
    """Returns the request body for OpenAPI. Flask does not parse it: UBI events have another shape."""
    event = EventRow.model_json_schema()
    events = {"type": "array", "items": event, "minItems": 1, "maxItems": MAX_BATCH}
    return {"content": {"application/json": {"schema": {"anyOf": [event, events]}}}, "required": True}


def parse_events(body: bytes, now: datetime) -> list[Event]:
    """Parses one event or a list. Raises InvalidRequest that names each invalid event by its index from 0."""
    rows = _parse_rows(body)
    if not 1 <= len(rows) <= MAX_BATCH:
        raise InvalidRequest(("body", f"it holds {len(rows)} events; send 1 to {MAX_BATCH}"))
    latest_ms = round((now + MAX_CLOCK_SKEW).timestamp() * 1000)
    events, errors = list[Event](), list[tuple[str, str]]()
    for index, row in enumerate(rows):
        try:
            event = parse_event(row, now)
            if event.at_ms > latest_ms:
                raise ValueError(f"at_ms: {event.at_ms} is in the future; correct the clock of the client")
            events.append(event)
        except ValueError as error:
            errors.append((f"events.{index}", str(error)))
    if errors:
        raise InvalidRequest(*errors[:MAX_REPORTED_ERRORS])
    return events


def _parse_rows(body: bytes) -> list[Any]:
    try:
        rows = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(
            ("body", f"it is not JSON ({error}); send an event or a list of them")
        ) from error
    return rows if isinstance(rows, list) else [rows]
