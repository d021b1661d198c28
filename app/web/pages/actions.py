"""Actions of a person on the pages: select a viewer, watch, like, dislike, undo. Each form redirects."""

import uuid
from datetime import datetime
from functools import partial
from urllib.parse import urlencode

from flask import Blueprint, Response, make_response, redirect, request
from werkzeug.datastructures import MultiDict

from reelrank.app.clock import to_ms
from reelrank.app.search.hydration import FETCH_TIMEOUT_S
from reelrank.app.search.service import SearchService
from reelrank.app.web.access.request_origin import restrict_to_local
from reelrank.app.web.api.parameters import ItemPath
from reelrank.app.web.pages import person
from reelrank.app.web.pages.notices import ACTIONS, PREVIOUS_LIST_PARAMETER
from reelrank.app.web.problems import InvalidRequest
from reelrank.index_mappings.errors import ItemNotFound
from reelrank.index_mappings.event import Event, EventKind
from reelrank.index_mappings.item import Item
from reelrank.loaders.events.event_rows import parse_event

MAX_SEEN = 500
"""Cards of one report; a page has at most some hundred."""
WATCHED_SHARE, UNKNOWN_DURATION_S = 0.95, 6000
"""The Watch button records nearly all of the film as watched, by a playback that starts when it is pressed.
There is no player on the pages: one would send its progress as events with the same play_id."""


def create_actions_blueprint(service: SearchService) -> Blueprint:
    blueprint = Blueprint("actions", __name__)

    @blueprint.post("/viewer")
    def pick_viewer() -> Response:
        person.remember_viewer(request.form.get("viewer", "")[: person.MAX_USER_ID_LENGTH].strip())
        return make_response(redirect("/", 303))

    @blueprint.post("/viewed")
    def record_viewed() -> Response:
        """Records which cards were on the screen of this viewer; what nobody in particular saw is dropped."""
        user_id = person.read_user_id()
        if user_id:
            seen = request.form.get("seen", "")
            service.record_events(build_viewed_events(seen, user_id, service.clock.now()))
        return Response(status=204)

    def record_action(kind: EventKind) -> Response:
        """Records the event and returns to the page of the button. A double click counts once."""
        form, back = request.form, restrict_to_local(request.form.get("back", "/"), "/")
        item_id = ItemPath.model_validate({"item_id": form.get("item", "")}).item_id
        (item,) = service.engine.fetch([item_id], FETCH_TIMEOUT_S)
        if item is None:
            raise ItemNotFound(f"there is no film {item_id!r}; it may have been deleted")
        user_id = person.read_user_id() or f"guest-{uuid.uuid4().hex[:8]}"
        service.record_events([build_event(kind, item, user_id, form, service.clock.now())])
        parameters = {ACTIONS[kind].parameter: item_id, PREVIOUS_LIST_PARAMETER: form.get("request_id", "")}
        separator = "&" if "?" in back else "?"
        person.remember_viewer(user_id)
        return make_response(redirect(f"{back}{separator}{urlencode(parameters)}", 303))

    for kind in ACTIONS:
        blueprint.add_url_rule(f"/{kind}", kind, partial(record_action, kind), methods=["POST"])
    return blueprint


def build_viewed_events(seen: str, user_id: str, now: datetime) -> list[Event]:
    """Builds an event of each line: id of the list, position, item. The id makes a card of a list count once.

    Raises InvalidRequest for lines that no page sends.
    """
    lines = seen.splitlines()
    if not 1 <= len(lines) <= MAX_SEEN:
        raise InvalidRequest(("seen", f"it has {len(lines)} lines; send 1 to {MAX_SEEN}"))
    events = []
    for line in lines:
        try:
            request_id, position, item_id = line.split(" ")
            row = {"item": item_id, "request_id": request_id, "position": int(position)}
            known = {"id": f"viewed-{request_id}-{position}", "kind": "viewed", "user": user_id}
            events.append(parse_event({**row, **known}, now))
        except ValueError as error:
            reason = f"{line[:80]!r} is no list, position and item ({error})"
            raise InvalidRequest(("seen", reason)) from error
    return events


def build_event(kind: EventKind, item: Item, user_id: str, form: MultiDict[str, str], now: datetime) -> Event:
    """Builds the event of a submitted form. Raises InvalidRequest for values that no form of a page has."""
    duration_ms = 1000 * (item.duration_s or UNKNOWN_DURATION_S)
    event_id = f"{kind}-{form.get('event_id') or uuid.uuid4().hex}"[:128]
    watched = {
        "watched_ms": round(WATCHED_SHARE * duration_ms),
        "duration_ms": duration_ms,
        "play_id": event_id,
        "started_ms": to_ms(now),
    }
    row = {
        "id": event_id,
        "kind": kind,
        "user": user_id,
        "item": item.id,
        "request_id": form.get("request_id", "")[:128],
        "position": form.get("position", type=int),
        **(watched if kind == "watch" else {}),
    }
    try:
        return parse_event(row, now)
    except ValueError as error:
        raise InvalidRequest(("form", str(error))) from error
