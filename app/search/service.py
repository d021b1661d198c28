"""What happens when a viewer asks: one request from the query to the page."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

from reelrank.app.search.facets import count_facets
from reelrank.app.search.hydration import FETCH_TIMEOUT_S, PageSlice, explain, hydrate
from reelrank.app.search.page import Page
from reelrank.app.search.parallel_sources import run_sources
from reelrank.app.search.ports import EventSink, Recorder
from reelrank.app.search.reranking import apply_exploration, rerank
from reelrank.app.search.result_cache import ResultCache
from reelrank.app.search.result_list import ResultList
from reelrank.app.search.stage_timings import StageTimings
from reelrank.app.search.viewers import Viewers
from reelrank.app.state.refresher import StateRefresher
from reelrank.app.state.snapshot import State
from reelrank.index_mappings.encoder import TextEncoder
from reelrank.index_mappings.engine import SearchEngine
from reelrank.index_mappings.errors import EngineError, Timeout, Unavailable
from reelrank.index_mappings.event import Event
from reelrank.index_mappings.event_store import AppendReport, EventStore
from reelrank.index_mappings.match import Matches
from reelrank.index_mappings.query import Query
from reelrank.ranking.rankers.lambdarank import FusedOrder, Ranker
from reelrank.ranking.retrieval.fusion import fuse
from reelrank.ranking.retrieval.sources import (
    CandidateLimits,
    SourceRequest,
    build_candidates,
    plan_sources,
    query_source,
)
from reelrank.ranking.signals.observe import Signals, observe
from reelrank.ranking.viewers.history import Viewer
from reelrank.ranking.viewers.query_vectors import build_request
from reelrank.ranking.viewers.request import RankingRequest

VIEWER_DEADLINE_SHARE = 0.5
"""Of the deadline, the most that looking the viewer up may take: the sources get what is left of it."""
FETCH_DEADLINE_SHARE = 0.15
"""Of the deadline, what a page of a late engine has at least for its items: it ends by a fifth above."""
TABLE_SOURCES = {"popular", "fresh"}
"""Sources that the item table answers, whatever the engine does."""
FailureListener = Callable[[str, EngineError], None]


@dataclass(frozen=True, slots=True)
class RankingOptions:
    """A query and how its answer is wanted.

    model: another one than the promoted. keep: also a list that is shown whole, to be explained later.
    """

    query: Query
    model: str | None = None
    explain: bool = False
    facets: bool = False
    cache_results: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class SearchService:
    """Everything a request needs. What changes while it serves is in `live`.

    failed: told of each source, and of the viewer, that an engine did not answer, or in part.
    explore_slots: places of a page at most that exploration may draw.
    """

    engine: SearchEngine
    events: EventStore
    encoder: TextEncoder
    refresher: StateRefresher
    result_cache: ResultCache
    recorder: Recorder
    limits: CandidateLimits
    deadline_s: float
    pool: ThreadPoolExecutor
    event_sink: EventSink
    on_failure: FailureListener
    explore_slots: int = 0

    def serve_page(self, options: RankingOptions) -> Page:
        """A search, a home page or similar items, by the kind of the query.

        Raises Unavailable, NotFound for a model that is not there, Refused for one that does not fit.
        """
        stages = StageTimings()
        ranked = self.rank_query(options, stages)
        with stages.measure("fetch"):
            page = hydrate(
                ranked,
                PageSlice(0, options.query.limit, self._choose_fetch_timeout_s(ranked, stages)),
                self.engine,
            )
        if page.cursor or options.cache_results:
            with stages.measure("keep"):
                page = self._cache_results(ranked, page)
        self.recorder.record(ranked, replace(page, timings=dict(stages.seconds)))
        if options.facets:
            with stages.measure("facets"):
                page = replace(page, facets=count_facets(self.refresher.state.table, ranked.candidates.ids))
        if options.explain:
            page = self._explain(page, ranked)
        return replace(page, timings=stages.seconds)

    def _cache_results(self, result_list: ResultList, page: Page) -> Page:
        """A list that cannot be kept is shown all the same, without a next part."""
        try:
            self.result_cache.put(result_list)
        except EngineError as error:
            return replace(page, cursor=None, degraded=(*page.degraded, f"next pages: {error}"))
        return page

    def serve_next_page(self, cursor: str, limit: int, explain: bool = False) -> Page:
        """A later part of a list as it was ranked then. Raises NotFound when it is kept no longer."""
        ranked, start = self.result_cache.get(cursor)
        page = hydrate(ranked, PageSlice(start, limit, self._later_fetch_timeout_s), self.engine)
        self.recorder.record(ranked, page)
        return self._explain(page, ranked) if explain else page

    def explain_hit(self, cursor: str) -> Page:
        """The one hit at a cursor, explained. Looking at why is no impression. Raises NotFound."""
        ranked, start = self.result_cache.get(cursor)
        return self._explain(
            hydrate(ranked, PageSlice(start, 1, self._later_fetch_timeout_s), self.engine), ranked
        )

    def rank_query(self, options: RankingOptions, timings: StageTimings) -> ResultList:
        """All candidates of a query in their final order; nothing is fetched, kept or recorded.

        Raises Timeout or Unavailable when no source answered.
        """
        state = self.refresher.state
        ranker, missing = self._choose_ranker(options.model, state)
        with timings.measure("viewer"):
            moment, unknown = self._build_request(options.query, state)
        with timings.measure("sources"):
            sources = plan_sources(moment, state.table, self.limits)
            left_s = self.deadline_s - min(timings.seconds["viewer"], VIEWER_DEADLINE_SHARE * self.deadline_s)
            found = run_sources(sources, partial(self._answer, state), left_s, self.pool)
        told = self._report_failures(found.failures)
        if found.is_empty:
            raise found.to_error()
        with timings.measure("fuse"):
            candidates = build_candidates(moment, found.matches, state.table)
        best = rerank(moment, candidates, state, ranker, timings)
        missing += unknown + told + best.missing
        request_id = uuid.uuid4().hex
        with timings.measure("explore"):
            best = apply_exploration(
                best, options.query, 0 if missing else self.explore_slots, state, request_id
            )
        timings.seconds.update({f"source {name}": took for name, took in found.seconds.items()})
        ranked = best.to_result_list(request_id, options.query, state.version, missing)
        if options.explain or self.recorder.is_sampled(ranked.request_id):
            return replace(ranked, signals=best.signals.take(best.order))
        return ranked

    def rank_matches(self, query: Query, matches: list[Matches], model: str | None) -> ResultList:
        """Candidates that the caller found, ranked. Nothing is fetched, kept or recorded."""
        state = self.refresher.state
        ranker, missing = self._choose_ranker(model, state)
        moment, unknown = self._build_request(query, state)
        best = rerank(moment, fuse(matches), state, ranker, StageTimings())
        return best.to_result_list(uuid.uuid4().hex, query, state.version, missing + unknown + best.missing)

    def record_events(self, events: Sequence[Event]) -> AppendReport:
        """What viewers did, durable when it returns."""
        report = self.event_sink.append(events)
        self.recorder.record_interactions(events)
        return report

    def load_viewer(self, query: Query) -> tuple[Viewer, tuple[str, ...]]:
        """The viewer as of the query's moment, and what of them could not be had."""
        viewer, missing = Viewers(self.events, self.pool).find(query, VIEWER_DEADLINE_SHARE * self.deadline_s)
        return viewer, self._report_failures(missing)

    def warm(self) -> None:
        """Asks once for everything that is made at its first use, where there is something to ask."""
        self.encoder.encode(["words load the encoder"])
        self.refresher.refresh()
        if self.refresher.is_ready:
            for query in (Query(text="warm"), Query(user="nobody", similar_to="nothing"), Query()):
                self.rank_query(RankingOptions(query, explain=True), StageTimings())

    def _choose_fetch_timeout_s(self, result_list: ResultList, timings: StageTimings) -> float:
        """An engine that answered any of its sources is waited for; one that answered none is in trouble."""
        if not result_list.degraded or set(result_list.candidates.sources) - TABLE_SOURCES:
            return FETCH_TIMEOUT_S
        spent_s = timings.seconds["viewer"] + timings.seconds["sources"]
        return max(self.deadline_s - spent_s, FETCH_DEADLINE_SHARE * self.deadline_s)

    @property
    def _later_fetch_timeout_s(self) -> float:
        """For the items of a list that is ranked already."""
        return self.deadline_s if self.refresher.state.degraded else FETCH_TIMEOUT_S

    def _build_request(self, query: Query, state: State) -> tuple[RankingRequest, tuple[str, ...]]:
        viewer, unknown = self.load_viewer(query)
        return build_request(query, viewer, state.table, self.encoder), unknown

    def _choose_ranker(self, model: str | None, state: State) -> tuple[Ranker, tuple[str, ...]]:
        if model is None:
            return state.ranker, state.degraded
        try:
            return self.refresher.models.get(model), ()
        except (Timeout, Unavailable) as error:
            return FusedOrder(), (f"ranking: {error}",)

    def _answer(self, state: State, request: SourceRequest, timeout_s: float) -> Matches:
        return query_source(request, self.engine, state.table, state.activity.popularity, timeout_s)

    def _report_failures(self, failures: Mapping[str, EngineError]) -> tuple[str, ...]:
        """Counted, and in the words that a page has for them."""
        for what, error in failures.items():
            self.on_failure(what, error)
        return tuple(f"{what}: {error}" for what, error in failures.items())

    def _explain(self, page: Page, result_list: ResultList) -> Page:
        try:
            return explain(
                page,
                result_list,
                self._observe_signals(result_list),
                self.refresher.models.get(result_list.model),
            )
        except (Timeout, Unavailable) as error:
            return replace(page, degraded=(*page.degraded, f"explanation: {error}"))

    def _observe_signals(self, result_list: ResultList) -> Signals:
        """Of a list that was kept they are observed again: the viewer as of then, popularity as of now."""
        if result_list.signals is not None:
            return result_list.signals
        state = self.refresher.state
        moment, _ = self._build_request(result_list.query, state)
        return observe(moment, result_list.candidates, state.table, state.activity.popularity)
