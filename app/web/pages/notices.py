"""What a page tells after a button was pressed: what was done, and what changed because of it."""

from collections.abc import Set
from dataclasses import dataclass

from flask import request

from reelrank.app.search.hydration import FETCH_TIMEOUT_S
from reelrank.app.search.page import Page
from reelrank.app.search.service import SearchService
from reelrank.index_mappings.errors import NotFound
from reelrank.index_mappings.item import ID_PATTERN

ACTION_PARAMETERS = {"watch": "watched", "like": "liked"}
"""Kind of event to the parameter that names its item on the page that follows."""
PREVIOUS_LIST_PARAMETER = "since"
"""The parameter that names the list which showed the button."""


@dataclass(frozen=True, slots=True)
class ActionNotice:
    """words: empty when nothing was done. fresh: ids that the list before did not show."""

    message: str = ""
    new_item_ids: Set[str] = frozenset()


def build_notice(page: Page, service: SearchService) -> ActionNotice:
    """By the address of this request; page: what is about to be shown."""
    done = next((word for word in ACTION_PARAMETERS.values() if word in request.args), None)
    if done is None:
        return ActionNotice()
    named = request.args[done]
    item = service.engine.fetch([named], FETCH_TIMEOUT_S)[0] if ID_PATTERN.fullmatch(named) else None
    if item is None:
        return ActionNotice()
    fresh = _find_new_items(page, service) if done == ACTION_PARAMETERS["watch"] else frozenset()
    changed = f"{len(fresh)} of these {len(page.hits)} films are new here because of it."
    return ActionNotice(f"You {done} {item.title}. {changed if fresh else 'It counts from now on.'}", fresh)


def _find_new_items(page: Page, service: SearchService) -> Set[str]:
    """None are when the list before is kept no longer, or was none of recommendations."""
    try:
        before, _ = service.result_cache.get(f"{request.args.get(PREVIOUS_LIST_PARAMETER, '')}.0")
    except NotFound:
        return frozenset()
    if before.query.kind != "home":
        return frozenset()
    shown = {name.decode() for name in before.candidates.ids[: len(page.hits)].tolist()}
    return {hit.item.id for hit in page.hits} - shown
