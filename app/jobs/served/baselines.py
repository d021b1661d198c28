"""Orders of each source and of baselines for logged requests, as of the time of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from reelrank.app.jobs.served.replay import RankedAgain
from reelrank.app.wiring import Container
from reelrank.index_mappings.event import MAX_TIME_MS
from reelrank.index_mappings.match import ItemIds
from reelrank.ranking.embeddings.watches import Watches, build_event_table, select_watches
from reelrank.ranking.evaluation.baselines import (
    EASE,
    POPULARITY,
    PastPages,
    choose_baseline_half_life,
    rank_by_ease,
    rank_by_popularity,
    sample_pages,
)
from reelrank.ranking.evaluation.served.wanted import CUTOFF
from reelrank.ranking.items.popularity.half_lives import COMPARED_DAYS, find_half_life
from reelrank.ranking.retrieval.source_names import SOURCES
from reelrank.ranking.viewers.request import RankingRequest

FUSED, OF_CANDIDATES = "fused", "popularity"
Lists = dict[str, ItemIds | None]
"""By system the first items for one request; None where the system does not answer such requests."""
VALIDATION_SHARE = 0.15
"""Share of the watches before the first request on which the half-life of recent popularity is chosen."""
MIN_WATCHES = 50


@dataclass(frozen=True, slots=True, eq=False)
class ComparedRequest:
    """A logged request, whose lists were taken when it was ranked again: popularity goes on after that."""

    request_id: str
    surface: str
    request: RankingRequest
    lists: Lists


def list_orders(again: RankedAgain) -> Lists:
    """Returns the first items by each source, by their fusion, and by the popularity of the candidates."""
    candidates, rows = again.ranking.found.candidates, again.ranking.found.rows
    lists: Lists = {}
    for source in SOURCES:
        if source not in again.ranking.asked:
            lists[source] = None
            continue
        ranks = candidates.get_source_ranks(source)
        found = np.flatnonzero(ranks >= 0)
        lists[source] = candidates.ids[found[np.argsort(ranks[found], kind="stable")][:CUTOFF]]
    shares = again.popularity.compute_shares(rows)[:, find_half_life(COMPARED_DAYS)]
    lists[FUSED] = candidates.ids[:CUTOFF]
    lists[OF_CANDIDATES] = candidates.ids[np.argsort(-shares, kind="stable")[:CUTOFF]]
    return lists


def list_catalogue_orders(
    container: Container, requests: Sequence[ComparedRequest]
) -> Mapping[str, list[ItemIds | None]]:
    """Returns the first items of the whole catalogue by EASE and by recent popularity, for home pages.

    EASE is fitted on the watches before the first request; the half-life is chosen on the last of them.
    Nothing where there are too few watches.
    """
    home = [row for row, one in enumerate(requests) if one.request.query.kind == "home"]
    if not home:
        return {}
    batches = container.events.scan(0, MAX_TIME_MS, ("watch",))
    watches = select_watches(build_event_table(batches), MAX_TIME_MS)
    times = [one.request.query.context.at_ms for one in requests]
    known = _select_before(watches, min(times))
    if len(known.at_ms) < MIN_WATCHES:
        return {}
    pages = PastPages(np.array(times, np.int64)[home], [requests[row].request.viewer.seen for row in home])
    begin = int(known.at_ms[int((1 - VALIDATION_SHARE) * len(known.at_ms))])
    sampled = sample_pages(known, (begin, int(known.at_ms[-1]) + 1))
    days = choose_baseline_half_life(known, *sampled) if len(sampled[0].at_ms) else COMPARED_DAYS
    ranked = {EASE: rank_by_ease(known, pages), POPULARITY: rank_by_popularity(watches, pages, days)}
    return {name: _spread(lists, home, len(requests)) for name, lists in ranked.items()}


def _select_before(watches: Watches, before_ms: int) -> Watches:
    """Returns the watches before a time; they are in the order of time."""
    n = int(np.searchsorted(watches.at_ms, before_ms))
    return Watches(
        watches.user_ids,
        watches.item_ids,
        watches.users[:n],
        watches.items[:n],
        watches.at_ms[:n],
        watches.weights[:n],
    )


def _spread(lists: Sequence[ItemIds], rows: Sequence[int], count: int) -> list[ItemIds | None]:
    spread: list[ItemIds | None] = [None] * count
    for row, ids in zip(rows, lists, strict=True):
        spread[row] = ids[:CUTOFF]
    return spread
