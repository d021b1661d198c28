"""The notice after an action: what was recorded and what changed on the page."""

from collections.abc import Set
from dataclasses import dataclass
from urllib.parse import urlencode

from flask import request

from reelrank.app.search.hydration import FETCH_TIMEOUT_S
from reelrank.app.search.page import Page
from reelrank.app.search.service import SearchService
from reelrank.index_mappings.errors import NotFound
from reelrank.index_mappings.event import EventKind
from reelrank.index_mappings.item import ID_PATTERN


@dataclass(frozen=True, slots=True)
class Action:
    """An action of a person on a film.

    parameter: names the film in the address of the following page. sentence: what was done. effect: what it
    changes, where no new films show it.
    """

    parameter: str
    sentence: str
    effect: str


ACTIONS: dict[EventKind, Action] = {
    "watch": Action("watched", "You watched {}.", "Your recommendations take it into account from now on."),
    "like": Action("liked", "You liked {}.", "It counts as a favourite and is not offered as new again."),
    "dislike": Action(
        "disliked", "You disliked {}.", "It is not recommended again, and films like it move down."
    ),
    "not_interested": Action(
        "rejected",
        "You are not interested in {}.",
        "It is not recommended again, and films like it move down.",
    ),
    "undo": Action("undone", "You took back what you said about {}.", "Your recommendations are as before."),
}
UNDOABLE: tuple[EventKind, ...] = ("like", "dislike", "not_interested")
PREVIOUS_LIST_PARAMETER = "since"
"""The parameter that names the list with the pressed button."""


@dataclass(frozen=True, slots=True)
class ActionNotice:
    """What a page says about the last action.

    message: empty without an action. new_item_ids: items that the previous list did not show. undo_item_id:
    the item of an action that can be undone, else empty. home_address: of the home page that shows what the
    action changed; empty on that page.
    """

    message: str = ""
    new_item_ids: Set[str] = frozenset()
    undo_item_id: str = ""
    home_address: str = ""


def build_notice(page: Page, service: SearchService) -> ActionNotice:
    """Builds the notice that this request's address asks for. page: the page that will show it."""
    kind = next((kind for kind, action in ACTIONS.items() if action.parameter in request.args), None)
    if kind is None:
        return ActionNotice()
    action = ACTIONS[kind]
    item_id = request.args[action.parameter]
    item = service.engine.fetch([item_id], FETCH_TIMEOUT_S)[0] if ID_PATTERN.fullmatch(item_id) else None
    if item is None:
        return ActionNotice()
    is_home = request.path == "/"
    new_ids = _find_new_items(page, service) if is_home else frozenset[str]()
    change = f" {len(new_ids)} of these {len(page.hits)} films are new because of it." if new_ids else ""
    message = f"{action.sentence.format(item.title)} {action.effect if not change or kind != 'watch' else ''}"
    previous = request.args.get(PREVIOUS_LIST_PARAMETER, "")
    home = f"/?{urlencode({action.parameter: item_id, PREVIOUS_LIST_PARAMETER: previous})}"
    return ActionNotice(
        f"{message.rstrip()}{change}",
        new_ids,
        item_id if kind in UNDOABLE else "",
        "" if is_home else home,
    )


def _find_new_items(page: Page, service: SearchService) -> Set[str]:
    """Finds the items that the previous list did not show; none if it expired or was not a home page."""
    try:
        previous, _ = service.result_cache.get(f"{request.args.get(PREVIOUS_LIST_PARAMETER, '')}.0")
    except NotFound:
        return frozenset()
    if previous.query.kind != "home":
        return frozenset()
    shown = {item_id.decode() for item_id in previous.candidates.ids[: len(page.hits)].tolist()}
    return {hit.item.id for hit in page.hits} - shown
