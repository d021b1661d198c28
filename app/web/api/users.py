"""A viewer over HTTP: what the service knows of them."""

from collections import Counter
from typing import Annotated, Any

from flask import Response, jsonify
from flask_openapi import APIBlueprint
from pydantic import BaseModel, Field

from reelrank.app.search.service import SearchService
from reelrank.app.web.api.answer_models import UserAnswer
from reelrank.app.web.api.parameters import Parameters, UserId
from reelrank.app.web.openapi import create_api_blueprint
from reelrank.index_mappings.event import EVENT_FIELDS, USER_ACTIONS, Event

READ_TIMEOUT_S = 2.0


class UserPath(BaseModel):
    user_id: UserId


class HistoryParameters(Parameters):
    limit: Annotated[int, Field(ge=1, le=1000, description="How many of the latest events.")] = 100


def create_users_api(service: SearchService) -> APIBlueprint:
    api = create_api_blueprint("users", "Viewers: their history.")

    @api.get("/users/<path:user_id>", responses={200: UserAnswer})
    def get_user(path: UserPath, query: HistoryParameters) -> Response:
        """Report a viewer's watched items and latest actions. An unknown viewer has none."""
        watched = service.events.watched_items(path.user_id, READ_TIMEOUT_S)
        events = service.events.recent(path.user_id, query.limit, READ_TIMEOUT_S, USER_ACTIONS)
        return jsonify(
            id=path.user_id,
            counts=Counter(event.kind for event in events),
            watched=sorted(watched),
            events=[_serialize_event(event) for event in events],
        )

    return api


def _serialize_event(event: Event) -> dict[str, Any]:
    """Serializes the fields that the event states."""
    values = {field.name: getattr(event, field.name) for field in EVENT_FIELDS}
    defaults = {field.name: field.type.default for field in EVENT_FIELDS}
    return {name: value for name, value in values.items() if value is not None and value != defaults[name]}
