"""What a page tells after a button was pressed: what was done, and what changed because of it."""

from collections.abc import Set
from dataclasses import dataclass

from flask import request

from app.search.page import Page
from app.search.showing import FETCH_S
from app.search.stories import Service
from index_mappings.errors import NotFound
from index_mappings.item import ID_PATTERN

DONE = {"watch": "watched", "like": "liked"}
"""Kind of event to the parameter that names its item on the page that follows."""
LIST_BEFORE = "since"
"""The parameter that names the list which showed the button."""


@dataclass(frozen=True, slots=True)
class Said:
    """words: empty when nothing was done. fresh: ids that the list before did not show."""

    words: str = ""
    fresh: Set[str] = frozenset()


def said(page: Page, service: Service) -> Said:
    """By the address of this request; page: what is about to be shown."""
    done = next((word for word in DONE.values() if word in request.args), None)
    if done is None:
        return Said()
    named = request.args[done]
    item = service.engine.fetch([named], FETCH_S)[0] if ID_PATTERN.fullmatch(named) else None
    if item is None:
        return Said()
    fresh = _fresh(page, service) if done == DONE["watch"] else frozenset()
    changed = f"{len(fresh)} of these {len(page.hits)} films are new here because of it."
    return Said(f"You {done} {item.title}. {changed if fresh else 'It counts from now on.'}", fresh)


def _fresh(page: Page, service: Service) -> Set[str]:
    """None are when the list before is kept no longer, or was none of recommendations."""
    try:
        before, _ = service.cursors.find(f"{request.args.get(LIST_BEFORE, '')}.0")
    except NotFound:
        return frozenset()
    if before.query.kind != "home":
        return frozenset()
    shown = {name.decode() for name in before.candidates.ids[: len(page.hits)].tolist()}
    return {hit.item.id for hit in page.hits} - shown
