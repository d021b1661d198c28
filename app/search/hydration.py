"""The end of every request: one part of a ranked list, its items fetched, explained when asked."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from reelrank.app.search.explanations import build_explanations
from reelrank.app.search.page import Hit, Page
from reelrank.app.search.result_cache import format_cursor
from reelrank.app.search.result_list import ResultList
from reelrank.index_mappings.engine import SearchEngine
from reelrank.index_mappings.errors import Partial
from reelrank.index_mappings.item import Item
from reelrank.ranking.rankers.lambdarank import Ranker
from reelrank.ranking.signals.observe import Signals

FETCH_TIMEOUT_S = 1.0


@dataclass(frozen=True, slots=True)
class PageSlice:
    """Which part of a list is shown, and how many seconds its items may take."""

    start: int
    limit: int
    fetch_timeout_s: float = FETCH_TIMEOUT_S


def hydrate(result_list: ResultList, page_slice: PageSlice, engine: SearchEngine) -> Page:
    """Only what is shown is fetched; an item that was deleted, or cannot be read, is passed over."""
    hits, place, until = list[Hit](), page_slice.start, time.monotonic() + page_slice.fetch_timeout_s
    unread: tuple[str, ...] = ()
    drawn = {draw.place: draw for draw in result_list.exploration_slots}
    while len(hits) < page_slice.limit and place < len(result_list.candidates):
        end = min(place + page_slice.limit - len(hits), len(result_list.candidates))
        ids = [name.decode() for name in result_list.candidates.ids[place:end].tolist()]
        items, lacking = fetch_items(engine, ids, until - time.monotonic())
        unread = lacking or unread
        for at, item in enumerate(items, place):
            if item is not None:
                hits.append(
                    Hit(
                        item,
                        float(result_list.scores[at]),
                        at,
                        _collect_ranks(result_list, at),
                        drawn.get(at),
                    )
                )
        place = end
    return Page(
        result_list.request_id,
        tuple(hits),
        result_list.model,
        result_list.version,
        (*result_list.degraded, *unread),
        len(result_list.candidates),
        format_cursor(result_list.request_id, place) if place < len(result_list.candidates) else None,
    )


def fetch_items(
    engine: SearchEngine, ids: Sequence[str], timeout_s: float
) -> tuple[list[Item | None], tuple[str, ...]]:
    """The items as far as they can be read, and what is missing, in words."""
    try:
        return engine.fetch(ids, timeout_s), ()
    except Partial as partial:
        return partial.partial_result, (f"items: {partial}",)


def explain(page: Page, result_list: ResultList, signals: Signals, ranker: Ranker) -> Page:
    """signals: of the whole list, in its order."""
    places = np.array([hit.position for hit in page.hits], np.intp)
    why = build_explanations(result_list, signals, places, ranker)
    hits = tuple(replace(hit, explanation=each) for hit, each in zip(page.hits, why, strict=True))
    return replace(page, hits=hits)


def _collect_ranks(result_list: ResultList, position: int) -> dict[str, int]:
    ranks = zip(result_list.candidates.sources, result_list.candidates.ranks[position].tolist(), strict=True)
    return {source: rank for source, rank in ranks if rank >= 0}
