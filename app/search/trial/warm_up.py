"""Warm-up: each kind of request is ranked once before the first viewer waits for it."""

import structlog

from reelrank.app.search.page import RankingOptions
from reelrank.app.search.service import SearchService
from reelrank.app.search.stage_timings import StageTimings
from reelrank.app.state.snapshot import State
from reelrank.index_mappings.errors import EngineError
from reelrank.index_mappings.query import Query

log = structlog.get_logger("reelrank.search")


def warm_up(service: SearchService) -> bool:
    """Loads the state and runs each kind of request; without a serving version, loads the encoder only.

    Returns whether every source answered in time.
    """
    service.encoder.encode(["words load the encoder"])
    service.refresher.refresh()
    return service.refresher.is_ready and rank_samples(service, None)


def rank_samples(service: SearchService, state: State | None) -> bool:
    """Ranks one request of each kind, by the state of a release; None: of the one that serves.

    Returns whether every source answered in time.
    """
    is_whole = True
    for query in (Query(text="warm"), Query(user="nobody", similar_to="nothing"), Query()):
        try:
            ranked = service.rank_query(RankingOptions(query, explain=True), StageTimings(), state)
            is_whole &= not any(missing.source in ranked.asked for missing in ranked.degraded)
        except EngineError as error:  # the first request of a busy machine may miss the deadline
            is_whole = False
            log.warning("a warm-up request failed", reason=str(error))
    return is_whole
