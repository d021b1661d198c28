"""A viewer over HTTP: what the service knows of them, and their erasure."""

from collections import Counter
from dataclasses import asdict
from typing import Annotated, Any

from flask import Response, g, jsonify
from flask_openapi import APIBlueprint
from pydantic import BaseModel, Field

from reelrank.app.privacy.erasure_journal import ErasureReceipt
from reelrank.app.privacy.viewer_eraser import ViewerEraser
from reelrank.app.search.service import SearchService
from reelrank.app.web.api.answer_models import ErasureAnswer, UserAnswer
from reelrank.app.web.api.parameters import Parameters, UserId
from reelrank.app.web.openapi import create_api_blueprint
from reelrank.index_mappings.event import EVENT_FIELDS, USER_ACTIONS, Event

READ_TIMEOUT_S = 2.0


class UserPath(BaseModel):
    user_id: UserId


class ErasurePath(BaseModel):
    erasure_id: Annotated[str, Field(min_length=1, max_length=64)]


class HistoryParameters(Parameters):
    limit: Annotated[int, Field(ge=1, le=1000, description="How many of the latest events.")] = 100


def create_users_api(service: SearchService) -> APIBlueprint:
    api = create_api_blueprint("users", "Viewers: their history.")

    @api.get("/users/<path:user_id>", responses={200: UserAnswer})
    def get_user(path: UserPath, query: HistoryParameters) -> Response:
        """Report a viewer's watched items and latest actions. An unknown viewer has none."""
        g.user_key = service.identify(path.user_id)
        watched = service.events.watched_items(path.user_id, READ_TIMEOUT_S)
        events = service.events.recent(path.user_id, query.limit, READ_TIMEOUT_S, USER_ACTIONS)
        return jsonify(
            id=path.user_id,
            counts=Counter(event.kind for event in events),
            watched=sorted(watched),
            events=[_serialize_event(event) for event in events],
        )

    return api


def create_erasures_api(eraser: ViewerEraser) -> APIBlueprint:
    api = create_api_blueprint("erasures", "Erasure of viewers.")

    @api.delete("/users/<path:user_id>", responses={202: ErasureAnswer})
    def erase_user(path: UserPath) -> tuple[Response, int, dict[str, str]]:
        """Erase a viewer: no page reads their history from now on, and within minutes no file holds it.

        The answer is a receipt in progress; its header `Location` is the address of the receipt.
        """
        g.user_key = eraser.places.get_key(path.user_id)
        receipt = eraser.journal.find_receipt(eraser.begin(path.user_id).id)
        return _respond(receipt), 202, {"Location": f"/v1/erasures/{receipt.id}"}

    @api.get("/erasures/<erasure_id>", responses={200: ErasureAnswer})
    def get_erasure(path: ErasurePath) -> Response:
        """Report what an erasure removed, and whether it is finished. It does not name the viewer."""
        return _respond(eraser.journal.find_receipt(path.erasure_id))

    return api


def _respond(receipt: ErasureReceipt) -> Response:
    return jsonify(asdict(receipt))


def _serialize_event(event: Event) -> dict[str, Any]:
    """Serializes the fields that the event states."""
    values = {field.name: getattr(event, field.name) for field in EVENT_FIELDS}
    defaults = {field.name: field.type.default for field in EVENT_FIELDS}
    return {name: value for name, value in values.items() if value is not None and value != defaults[name]}
