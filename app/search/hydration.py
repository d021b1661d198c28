"""Fetches the items of one part of a ranked list: the last step of every request."""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reelrank.app.search.lexical.outcome import has_all_lexical
from reelrank.app.search.page import Hit, MatchKind, Page
from reelrank.app.search.result_cache import format_cursor
from reelrank.app.search.result_list import ResultList
from reelrank.app.search.stage_timings import StageTimings
from reelrank.index_mappings.engine import SearchEngine
from reelrank.index_mappings.errors import Degradation, Partial, describe_failure
from reelrank.index_mappings.item import Item
from reelrank.ranking.retrieval.source_names import LEXICAL_SOURCES, TABLE_SOURCES

FETCH_TIMEOUT_S = 1.0
FETCH_DEADLINE_SHARE = 0.15
"""The smallest share of the deadline for fetching items: with a late engine a page ends a fifth after it."""


@dataclass(frozen=True, slots=True)
class PageSlice:
    """Which part of a list is shown, and how many seconds fetching its items may take."""

    start: int
    limit: int
    fetch_timeout_s: float = FETCH_TIMEOUT_S


def choose_fetch_timeout_s(result_list: ResultList, deadline_s: float, timings: StageTimings) -> float:
    """Chooses the timeout of a first page: a longer one for an engine that answered any of its sources."""
    if not result_list.degraded or set(result_list.candidates.sources) - TABLE_SOURCES:
        return FETCH_TIMEOUT_S
    spent_s = timings.seconds["viewer"] + timings.seconds["sources"]
    return max(deadline_s - spent_s, FETCH_DEADLINE_SHARE * deadline_s)


def hydrate(result_list: ResultList, page_slice: PageSlice, engine: SearchEngine) -> Page:
    """Fetches only what is shown; items that were deleted or cannot be read are skipped."""
    hits, position, until = list[Hit](), page_slice.start, time.monotonic() + page_slice.fetch_timeout_s
    total, missing = len(result_list.candidates), tuple[Degradation, ...]()
    while len(hits) < page_slice.limit and position < total:
        end = min(position + page_slice.limit - len(hits), total)
        ids = [item_id.decode() for item_id in result_list.candidates.ids[position:end].tolist()]
        items, unread = fetch_items(engine, ids, until - time.monotonic())
        missing = unread or missing
        hits += [
            _build_hit(result_list, item, item_position)
            for item_position, item in enumerate(items, position)
            if item is not None
        ]
        position = end
    return Page(
        result_list.request_id,
        tuple(hits),
        result_list.model,
        result_list.version,
        (*result_list.degraded, *missing),
        total,
        format_cursor(result_list.request_id, position) if position < total else None,
        search=result_list.search,
        fields=result_list.query.fields,
        similar_to=result_list.query.similar_to or "",
        asked=result_list.asked,
    )


def hydrate_positions(
    result_list: ResultList, positions: NDArray[np.intp], engine: SearchEngine, timeout_s: float
) -> tuple[Hit, ...]:
    """Fetches the items at these positions of a list; those that cannot be had are left out."""
    ids = [item_id.decode() for item_id in result_list.candidates.ids[positions].tolist()]
    items, _ = fetch_items(engine, ids, timeout_s)
    found = zip(items, positions.tolist(), strict=True)
    return tuple(_build_hit(result_list, item, position) for item, position in found if item is not None)


def fetch_items(
    engine: SearchEngine, ids: Sequence[str], timeout_s: float
) -> tuple[list[Item | None], tuple[Degradation, ...]]:
    """Returns the items in the order of `ids`, None for those that cannot be had, and what is missing."""
    try:
        return engine.fetch(ids, timeout_s), ()
    except Partial as partial:
        return partial.partial_result, (describe_failure("items", partial),)


def _build_hit(result_list: ResultList, item: Item, position: int) -> Hit:
    slot = next((slot for slot in result_list.exploration_slots if slot.position == position), None)
    score = float(result_list.scores[position])
    ranks = _collect_ranks(result_list, position)
    return Hit(item, score, position, ranks, slot, match=_find_match(result_list, ranks))


def _find_match(result_list: ResultList, sources: Collection[str]) -> MatchKind | None:
    """Returns how a text matches an item that these sources found; None where that is not known."""
    if result_list.search is None:
        return None
    if any(source in sources for source in LEXICAL_SOURCES):
        return "lexical"
    return "semantic" if has_all_lexical(result_list.candidates, result_list.degraded) else None


def _collect_ranks(result_list: ResultList, position: int) -> dict[str, int]:
    ranks = zip(result_list.candidates.sources, result_list.candidates.ranks[position].tolist(), strict=True)
    return {source: rank for source, rank in ranks if rank >= 0}
