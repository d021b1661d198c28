"""Suggestions while a text is typed: titles and people, popular ones first."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from reelrank.app.search.hydration import fetch_items
from reelrank.app.state.snapshot import State
from reelrank.index_mappings.engine import SearchEngine
from reelrank.ranking.items.names.suggestion_index import Rows
from reelrank.ranking.items.names.title_keys import compact_title

PEOPLE_SHARE = 3
"""One suggestion of so many is a person, if any has such a name; more when there are too few titles."""
EXTRA_TITLES = 3
"""Titles looked up beyond the limit, because some may have been deleted or repeat another."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A text to search for. item_id, year: of a title. items: how many items a person has."""

    kind: Literal["title", "person"]
    text: str
    item_id: str = ""
    year: int | None = None
    items: int | None = None


def suggest(text: str, limit: int, state: State, engine: SearchEngine, timeout_s: float) -> list[Suggestion]:
    """Returns at most `limit` suggestions, titles first; popular titles for a text without a letter.

    Titles are fetched from the engine, so a deleted one is never suggested. Raises EngineError when the
    engine does not answer.
    """
    index = state.table.suggestions
    if not compact_title(text):
        return _load_titles(_find_popular(state, limit + EXTRA_TITLES), state, engine, timeout_s)[:limit]
    found = index.find(text, limit + EXTRA_TITLES, state.activity.popularity)
    titles = _load_titles(found.titles, state, engine, timeout_s)
    people = [
        Suggestion("person", index.get_person(number), items=int(index.people_items[number]))
        for number in found.people.tolist()
    ]
    reserved = min(len(people), max(limit // PEOPLE_SHARE, limit - len(titles)))
    return [*titles[: limit - reserved], *people[:reserved]]


def _find_popular(state: State, limit: int) -> Rows:
    popularity = state.activity.popularity
    rows, _ = popularity.find_most_watched(limit, lambda rows: np.ones(len(rows), bool))
    return rows


def _load_titles(rows: Rows, state: State, engine: SearchEngine, timeout_s: float) -> list[Suggestion]:
    """Fetches the titles of rows, each text once."""
    ids = [item_id.decode() for item_id in state.table.ids[rows].tolist()]
    items = fetch_items(engine, ids, timeout_s)[0] if ids else []
    titles = {
        compact_title(item.title): Suggestion("title", item.title, item.id, item.year)
        for item in reversed(items)
        if item is not None
    }
    return list(titles.values())[::-1]
