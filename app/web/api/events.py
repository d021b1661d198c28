"""Events over HTTP: what viewers did, acknowledged when durable, each id once."""

from datetime import UTC, datetime
from typing import Any

import orjson
from flask import Response, jsonify, request
from flask_openapi import APIBlueprint, Tag

from reelrank.app.search.service import SearchService
from reelrank.app.web.problems import InvalidRequest
from reelrank.app.web.telemetry import EVENTS
from reelrank.index_mappings.event import Event
from reelrank.loaders.events.event_rows import MAX_CLOCK_SKEW, parse_event

EVENTS_TAG = Tag(name="events", description="What viewers did.")
MAX_BATCH = 5000


def create_events_api(service: SearchService) -> APIBlueprint:
    api = APIBlueprint("events", __name__, url_prefix="/v1", abp_tags=[EVENTS_TAG])

    @api.post("/events")
    def take_in() -> Response:
        """Take in one event or a list, ours or UBI 1.3; all of them or, if one is wrong, none."""
        report = service.record_events(parse_events(request.get_data(), datetime.now(UTC)))
        EVENTS.labels("stored").inc(report.stored)
        EVENTS.labels("duplicate").inc(report.duplicates)
        return jsonify(stored=report.stored, duplicates=report.duplicates)

    return api


def parse_events(body: bytes, now: datetime) -> list[Event]:
    """Raises InvalidRequest that names every wrong event, from 0, and what is wrong with it."""
    rows = _parse_rows(body)
    if not 1 <= len(rows) <= MAX_BATCH:
        raise InvalidRequest(("body", f"it holds {len(rows)} events; send 1 to {MAX_BATCH}"))
    latest_ms = round((now + MAX_CLOCK_SKEW).timestamp() * 1000)
    events, faults = list[Event](), list[tuple[str, str]]()
    for number, row in enumerate(rows):
        try:
            event = parse_event(row, now)
            if event.at_ms > latest_ms:
                raise ValueError(f"at_ms: {event.at_ms} is in the future; correct the clock")
            events.append(event)
        except ValueError as error:
            faults.append((f"events.{number}", str(error)))
    if faults:
        raise InvalidRequest(*faults[:20])
    return events


def _parse_rows(body: bytes) -> list[Any]:
    try:
        rows = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(("body", f"it is no JSON ({error}); send an event or a list of them")) from error
    return rows if isinstance(rows, list) else [rows]
