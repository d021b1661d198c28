"""The end of every request: one part of a ranked list, its items fetched, explained when asked."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from app.search.cursors import cursor_at
from app.search.explanations import explanations_of
from app.search.page import Hit, Page
from app.search.ranked import Ranked
from index_mappings.engine import SearchEngine
from index_mappings.errors import Partial
from index_mappings.item import Item
from ranking.ranker import Ranker
from ranking.signals import Signals

FETCH_S = 1.0


@dataclass(frozen=True, slots=True)
class Part:
    """Which part of a list is shown, and how many seconds its items may take."""

    start: int
    limit: int
    fetch_s: float = FETCH_S


def shown(ranked: Ranked, part: Part, engine: SearchEngine) -> Page:
    """Only what is shown is fetched; an item that was deleted, or cannot be read, is passed over."""
    hits, place, until = list[Hit](), part.start, time.monotonic() + part.fetch_s
    unread: tuple[str, ...] = ()
    drawn = {draw.place: draw for draw in ranked.draws}
    while len(hits) < part.limit and place < len(ranked.candidates):
        end = min(place + part.limit - len(hits), len(ranked.candidates))
        ids = [name.decode() for name in ranked.candidates.ids[place:end].tolist()]
        items, lacking = fetched(engine, ids, until - time.monotonic())
        unread = lacking or unread
        for at, item in enumerate(items, place):
            if item is not None:
                hits.append(Hit(item, float(ranked.scores[at]), at, _ranks(ranked, at), drawn.get(at)))
        place = end
    return Page(
        ranked.request_id,
        tuple(hits),
        ranked.model,
        ranked.version,
        (*ranked.degraded, *unread),
        len(ranked.candidates),
        cursor_at(ranked.request_id, place) if place < len(ranked.candidates) else None,
    )


def fetched(
    engine: SearchEngine, ids: Sequence[str], timeout_s: float
) -> tuple[list[Item | None], tuple[str, ...]]:
    """The items as far as they can be read, and what is missing, in words."""
    try:
        return engine.fetch(ids, timeout_s), ()
    except Partial as partial:
        return partial.found, (f"items: {partial}",)


def explained(page: Page, ranked: Ranked, signals: Signals, ranker: Ranker) -> Page:
    """signals: of the whole list, in its order."""
    places = np.array([hit.position for hit in page.hits], np.intp)
    why = explanations_of(ranked, signals, places, ranker)
    hits = tuple(replace(hit, explanation=each) for hit, each in zip(page.hits, why, strict=True))
    return replace(page, hits=hits)


def _ranks(ranked: Ranked, place: int) -> dict[str, int]:
    ranks = zip(ranked.candidates.sources, ranked.candidates.ranks[place].tolist(), strict=True)
    return {source: rank for source, rank in ranks if rank >= 0}
