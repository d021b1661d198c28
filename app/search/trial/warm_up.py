"""Warm-up: each kind of request is ranked once before the first viewer waits for it."""

from dataclasses import replace
from functools import partial

import numpy as np
import structlog

from reelrank.app.search.page import RankingOptions
from reelrank.app.search.service import SearchService
from reelrank.app.search.stage_timings import StageTimings
from reelrank.app.state.snapshot import State
from reelrank.index_mappings.errors import EngineError
from reelrank.index_mappings.query import Query
from reelrank.ranking.items.table import ItemTable

log = structlog.get_logger("reelrank.search")


FIRST_DEADLINE_S = 2.0
"""Deadline of the first requests by a state: its files are read from the disk. Short enough that all samples
on an engine that hangs end before a rollback must be seen by every worker (10 s)."""
LOOKED_AT = 1000
"""First items of the table, among which one with learned vectors is looked for."""


def warm_up(service: SearchService) -> bool:
    """Loads the state and runs each kind of request; without a serving version, loads the encoder only.

    From now on each state of a new version or release is tried with patience before requests are answered
    from it. Returns whether every source answered in time.
    """
    service.encoder.encode(["words load the encoder"])
    patient = replace(service, deadline_s=max(service.deadline_s, FIRST_DEADLINE_S))
    service.refresher.try_first(partial(rank_samples, patient))
    service.refresher.refresh()
    return service.refresher.is_ready and rank_samples(service, service.refresher.state)


def rank_samples(service: SearchService, state: State) -> bool:
    """Ranks one request of each kind by a state. Returns whether every source answered in time."""
    is_whole = True
    for query in choose_samples(state.table):
        try:
            ranked = service.rank_query(RankingOptions(query, explain=True), StageTimings(), state)
            is_whole &= not any(missing.source in ranked.asked for missing in ranked.degraded)
        except EngineError as error:  # the first request of a busy machine may miss the deadline
            is_whole = False
            log.warning("a warm-up request failed", reason=str(error))
    return is_whole


def choose_samples(table: ItemTable) -> tuple[Query, ...]:
    """Returns requests that ask every source: an item with learned vectors, known and misspelt words."""
    is_learned = table.vectors["factors"][:LOOKED_AT].any(axis=1)
    item = table.ids[int(np.argmax(is_learned))].decode() if len(table) else "nothing"
    return (
        Query(text="warm"),
        Query(text="storry of teh warm"),
        Query(user="nobody", similar_to=item),
        Query(),
    )
