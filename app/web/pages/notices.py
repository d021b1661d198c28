"""The notice after an action: what was recorded and what changed on the page."""

from collections.abc import Set
from dataclasses import dataclass

from flask import request

from reelrank.app.search.hydration import FETCH_TIMEOUT_S
from reelrank.app.search.page import Page
from reelrank.app.search.service import SearchService
from reelrank.index_mappings.errors import NotFound
from reelrank.index_mappings.item import ID_PATTERN

ACTION_PARAMETERS = {"watch": "watched", "like": "liked"}
"""Kind of event to the parameter that names its item on the following page."""
PREVIOUS_LIST_PARAMETER = "since"
"""The parameter that names the list with the pressed button."""


@dataclass(frozen=True, slots=True)
class ActionNotice:
    """message: empty without an action. new_item_ids: items that the previous list did not show."""

    message: str = ""
    new_item_ids: Set[str] = frozenset()


def build_notice(page: Page, service: SearchService) -> ActionNotice:
    """Builds the notice that this request's address asks for. page: the page that will show it."""
    action = next((name for name in ACTION_PARAMETERS.values() if name in request.args), None)
    if action is None:
        return ActionNotice()
    item_id = request.args[action]
    item = service.engine.fetch([item_id], FETCH_TIMEOUT_S)[0] if ID_PATTERN.fullmatch(item_id) else None
    if item is None:
        return ActionNotice()
    new_ids = _find_new_items(page, service) if action == ACTION_PARAMETERS["watch"] else frozenset()
    change = f"{len(new_ids)} of these {len(page.hits)} films are new because of it."
    effect = change if new_ids else "Your recommendations take it into account from now on."
    return ActionNotice(f"You {action} {item.title}. {effect}", new_ids)


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
