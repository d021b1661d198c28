"""Impressions as dashboards read them: a shown item with its model, sources and score.

Training reads impressions as events; these lines repeat them for dashboards only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from reelrank.app.search.page import Page
from reelrank.app.search.result_list import ResultList
from reelrank.index_mappings.event import USER_ACTIONS, Event


@dataclass(frozen=True, slots=True)
class Impression:
    """A shown item, or what a viewer did with it: `kind` is that of the event.

    page: search, home or similar. sources: those that found the item. score: of the model, and so
    comparable only with scores of the same model. degraded: the sources that were missing from the page.
    propensity, came_from: of an explored position, the probability of the item and its position before.
    watched_ms, duration_ms: of a watch.
    """

    id: str
    at_ms: int
    kind: str
    request_id: str
    position: int
    item: str
    user: str
    page: str
    model: str
    version: str
    sources: tuple[str, ...]
    score: float
    degraded: tuple[str, ...] = ()
    propensity: float | None = None
    came_from: int | None = None
    watched_ms: int | None = None
    duration_ms: int | None = None

    def with_interaction(self, interaction: Event) -> "Impression":
        """Returns the line of what a viewer did with the item."""
        return replace(
            self,
            id=interaction.id,
            at_ms=interaction.at_ms,
            kind=interaction.kind,
            user=interaction.user,
            watched_ms=interaction.watched_ms,
            duration_ms=interaction.duration_ms,
        )


class Impressions(Protocol):
    def append(self, impressions: Sequence[Impression]) -> None:
        """Writes lines for dashboards. Raises EngineError."""

    def find(self, ids: Sequence[str]) -> Mapping[str, Impression]:
        """Returns the impressions that exist, by id, including the newest. Raises EngineError."""

    def erase_user(self, users: Sequence[str]) -> int:
        """Removes all lines of these users, keys or the ids of earlier builds; returns how many there were.

        Raises EngineError.
        """


def format_impression_id(request_id: str, position: int) -> str:
    """Returns the id of the line and of the impression event."""
    return f"{request_id}-{position}"


def build_impressions(result_list: ResultList, page: Page) -> list[Impression]:
    """Builds one line for each hit of a page."""
    query = result_list.query
    return [
        Impression(
            id=format_impression_id(page.request_id, hit.position),
            at_ms=query.context.at_ms,
            kind="impression",
            request_id=page.request_id,
            position=hit.position,
            item=hit.item.id,
            user=query.user or "",
            page=query.kind,
            model=page.model,
            version=page.version,
            sources=tuple(hit.sources),
            score=hit.score,
            degraded=page.missing_parts,
            propensity=hit.exploration_slot.propensity if hit.exploration_slot else None,
            came_from=hit.exploration_slot.ranked_position if hit.exploration_slot else None,
        )
        for hit in page.hits
    ]


def find_impression_id(interaction: Event) -> str | None:
    """Returns the id of the impression that an action on an item followed; None when it names none.

    Kinds of exposure are not actions: there are as many as impressions, and they would fill the queue.
    """
    if (
        interaction.kind not in USER_ACTIONS
        or interaction.kind == "search"
        or not interaction.request_id
        or interaction.position is None
    ):
        return None
    return format_impression_id(interaction.request_id, interaction.position)
