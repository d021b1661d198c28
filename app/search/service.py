"""Answers requests, from the query of a viewer to the page. Each kind of request is one method."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import structlog

from reelrank.app.clock import Clock
from reelrank.app.search.explanations import explain
from reelrank.app.search.facets import count_facets
from reelrank.app.search.home_rows import RowAssembler, collect_shown, find_part, find_topics
from reelrank.app.search.hydration import FETCH_TIMEOUT_S, PageSlice, choose_fetch_timeout_s, hydrate
from reelrank.app.search.lexical.outcome import summarize_search
from reelrank.app.search.lexical.proposals import add_proposals
from reelrank.app.search.page import Page, RankingOptions
from reelrank.app.search.parallel_sources import run_sources
from reelrank.app.search.ports import Assigner, EventSink, Recorder
from reelrank.app.search.result_cache import ResultCache
from reelrank.app.search.result_list import ResultList, build_result_list
from reelrank.app.search.stage_timings import StageTimings
from reelrank.app.search.trial.arms import find_unit, rank_by_arm, state_arms
from reelrank.app.search.trial.experiments import choose_arm_ranker, choose_pipeline
from reelrank.app.search.viewers import KnownViewer, Viewers
from reelrank.app.state.refresher import StateRefresher
from reelrank.app.state.snapshot import State
from reelrank.index_mappings.encoder import TextEncoder, choose_encoder
from reelrank.index_mappings.engine import SearchEngine
from reelrank.index_mappings.errors import Degradation, EngineError, describe_failure
from reelrank.index_mappings.event import Event
from reelrank.index_mappings.event_store import AppendReport, EventStore
from reelrank.index_mappings.match import Matches
from reelrank.index_mappings.query import Query
from reelrank.ranking.items.spelling.synonyms import Synonyms
from reelrank.ranking.pipeline import RankingContext, SourceAnswers, rank_candidates
from reelrank.ranking.policies.thompson import derive_seed
from reelrank.ranking.rankers.blending import blend_rankers
from reelrank.ranking.rankers.lambdarank import Ranker
from reelrank.ranking.retrieval.candidates import locate
from reelrank.ranking.retrieval.fusion import fuse
from reelrank.ranking.retrieval.sources import SourceRequest, query_source
from reelrank.ranking.signals.observe import observe
from reelrank.ranking.viewers.query_vectors import build_request
from reelrank.ranking.viewers.request import RankingRequest

log = structlog.get_logger("reelrank.search")

VIEWER_DEADLINE_SHARE = 0.5
"""The largest share of the deadline for reading the viewer; the sources get the rest."""
FailureListener = Callable[[str, EngineError], None]


@dataclass(frozen=True, slots=True, eq=False)
class SearchService:
    """Everything a request needs. What changes while it serves is in `refresher`.

    identify: a user id to its keyed hash, empty when there is none.
    on_failure: called for each source, and for the viewer, that an engine did not answer, or only in part.
    viewer_pool: apart from `pool`, so that a late event store takes no thread from the sources.
    """

    engine: SearchEngine
    events: EventStore
    encoder: TextEncoder
    synonyms: Synonyms
    refresher: StateRefresher
    result_cache: ResultCache
    recorder: Recorder
    assigner: Assigner
    deadline_s: float
    pool: ThreadPoolExecutor
    viewer_pool: ThreadPoolExecutor
    event_sink: EventSink
    clock: Clock
    on_failure: FailureListener
    identify: Callable[[str], str]

    def serve_page(self, options: RankingOptions) -> Page:
        """Serves a search, a home page or similar items, by the kind of the query.

        Raises Unavailable, ModelNotFound, or ModelRejected for a model that does not fit.
        """
        timings = StageTimings()
        with timings.measure("viewer"):  # read once for the list and its rows
            options = replace(options, viewer=self.load_viewer(options.query))
        result_list = self._rank_for_viewer(options, timings)
        with timings.measure("fetch"):
            timeout_s = choose_fetch_timeout_s(result_list, self.deadline_s, timings)
            page = hydrate(result_list, PageSlice(0, options.query.limit, timeout_s), self.engine)
            page = add_proposals(page, self.refresher.state, self.engine, timeout_s)
        if options.row_size:
            with timings.measure("rows"):
                page = self._add_rows(page, result_list, options, timeout_s)
        if page.cursor or options.cache_results:
            with timings.measure("keep"):
                page = self.result_cache.cache_list(result_list, page)
        self.recorder.record(result_list, replace(collect_shown(page), timings=dict(timings.seconds)))
        if options.facets:
            with timings.measure("facets"):
                page = replace(page, facets=count_facets(self.refresher.state.table, result_list.counted_ids))
        if options.explain:
            page = explain(page, result_list, partial(self._get_ranker, query=result_list.query))
        return replace(page, timings=timings.seconds)

    def serve_next_page(self, cursor: str, limit: int, is_explained: bool = False, user: str = "") -> Page:
        """Returns a later part of a list as it was ranked then. Raises CursorExpired."""
        result_list, start = self.result_cache.get(cursor, user)
        page = hydrate(result_list, PageSlice(start, limit, self._later_fetch_timeout_s), self.engine)
        self.recorder.record(result_list, page)
        return self._explain_later(page, result_list) if is_explained else page

    def explain_hit(self, cursor: str, user: str = "") -> Page:
        """Returns the one hit at a cursor, explained; no impression is recorded. Raises CursorExpired."""
        result_list, start = self.result_cache.get(cursor, user)
        page = hydrate(result_list, PageSlice(start, 1, self._later_fetch_timeout_s), self.engine)
        return self._explain_later(page, result_list)

    def rank_query(
        self, options: RankingOptions, timings: StageTimings, state: State | None = None
    ) -> ResultList:
        """Ranks all candidates of a query; nothing is fetched, cached or recorded.

        state: of another release than the serving one. Raises Timeout or Unavailable if no source answered.
        """
        tried, request_id = None if state is None else state.config, uuid.uuid4().hex
        unit = "" if options.model is not None else find_unit(self.identify, options.query)
        assignment = self.assigner.assign(options.query, unit, tried)
        config, state = assignment.config, state or self.refresher.state
        with timings.measure("viewer"):
            request, missing = self._build_request(options, state)
        ranker, degraded = choose_arm_ranker(self.refresher, options.model, assignment, state)
        context = RankingContext(
            state.table,
            state.activity.popularity,
            ranker,
            config,
            degraded=(*degraded, *missing),
            seed=derive_seed(options.query, self.identify(options.query.user or ""), request_id),
            measure=timings.measure,
        )
        rank = choose_pipeline(self.refresher, assignment, context, state)
        ranking = rank(request, partial(self._run_sources, state, timings))
        result_list = build_result_list(request_id, options.query, state.version, config.id, ranking)
        experiment, variant = assignment.arms
        release = "" if options.model else state.release
        result_list = replace(result_list, release=release, experiment=experiment, variant=variant)
        if options.query.kind == "search":
            found = ranking.found.candidates, ranking.degraded, config.limits, state.table
            result_list = replace(result_list, search=summarize_search(request, *found))
        if options.row_size:
            result_list = replace(result_list, topics=find_topics(request, state.table))
        needs_all = options.explain or options.row_size > 0 or self.recorder.is_sampled(request_id)
        return result_list.with_signals(ranking, needs_all)

    def _rank_for_viewer(self, options: RankingOptions, timings: StageTimings) -> ResultList:
        """Ranks by the release of the viewer's arm; a request that names its model has none."""
        viewer = "" if options.model is not None else self.identify(options.query.user or "")
        return rank_by_arm(self.refresher.trial, viewer, partial(self.rank_query, options, timings))

    def _add_rows(self, page: Page, ranked: ResultList, options: RankingOptions, timeout_s: float) -> Page:
        """Adds the rows of a home page. A late engine is not asked for a list of similar items as well."""
        similar = self._rank_similar(ranked, options) if timeout_s >= FETCH_TIMEOUT_S else None
        assembler = RowAssembler(self.engine, self.refresher.state.table, options.row_size, timeout_s)
        rows = assembler.assemble(page, ranked, similar)
        if similar is not None and (part := find_part(page, rows, similar)):
            if options.cache_results:
                self.result_cache.cache_list(similar, part)
            self.recorder.record(similar, part)
        return replace(page, rows=rows)

    def _rank_similar(self, ranked: ResultList, options: RankingOptions) -> ResultList | None:
        """Ranks the items similar to the newest watch; None without one, or when no source answers."""
        query = replace(options.query, similar_to=ranked.topics.watched or None, limit=options.row_size)
        try:
            options = replace(options, query=query, row_size=0)
            return self._rank_for_viewer(options, StageTimings()) if query.similar_to else None
        except EngineError:
            return None

    def rank_matches(self, query: Query, matches: list[Matches], model: str | None) -> ResultList:
        """Ranks candidates that the caller found, without exploration; nothing is fetched or recorded."""
        state, config = self.refresher.state, self.assigner.assign(query).config.without_exploration()
        request, missing = self._build_request(RankingOptions(query), state)
        ranker, degraded = self.refresher.choose_ranker(model, state)
        context = RankingContext(
            state.table, state.activity.popularity, ranker, config, (*degraded, *missing)
        )
        ranking = rank_candidates(request, locate(fuse(matches), state.table), context)
        return build_result_list(uuid.uuid4().hex, query, state.version, config.id, ranking)

    def record_events(self, events: Sequence[Event]) -> AppendReport:
        """Stores what viewers did, durable when it returns."""
        events = state_arms(self.refresher.trial, self.assigner, self.identify, events)
        report = self.event_sink.append(events)
        self.recorder.record_interactions(events)
        return report

    def load_viewer(self, query: Query) -> KnownViewer:
        """Returns the viewer at the time of the query, and what could not be read."""
        viewers = Viewers(self.events, self.viewer_pool)
        viewer, failures = viewers.find(query, VIEWER_DEADLINE_SHARE * self.deadline_s)
        return viewer, self._report_failures(failures)

    def _build_request(
        self, options: RankingOptions, state: State
    ) -> tuple[RankingRequest, tuple[Degradation, ...]]:
        viewer, missing = options.viewer or self.load_viewer(options.query)
        encoder = choose_encoder(self.encoder, state.version)
        return build_request(options.query, viewer, state.table, encoder, self.synonyms), missing

    def _run_sources(
        self, state: State, timings: StageTimings, requests: Sequence[SourceRequest]
    ) -> SourceAnswers:
        """Runs the sources in parallel, within what the viewer left of the deadline."""
        left_s = self.deadline_s - min(timings.seconds["viewer"], VIEWER_DEADLINE_SHARE * self.deadline_s)
        results = run_sources(requests, partial(self._query_source, state), left_s, self.pool)
        timings.add_sources(results.seconds)
        degraded = self._report_failures(results.failures)
        if results.is_empty:
            raise results.to_error()
        return SourceAnswers(results.matches, degraded)

    def _query_source(self, state: State, request: SourceRequest, timeout_s: float) -> Matches:
        return query_source(request, state.matcher, state.table, state.activity.popularity, timeout_s)

    def _report_failures(self, failures: Mapping[str, EngineError]) -> tuple[Degradation, ...]:
        for source, error in failures.items():
            self.on_failure(source, error)
        return tuple(describe_failure(source, error) for source, error in failures.items())

    @property
    def _later_fetch_timeout_s(self) -> float:
        """Returns the timeout for the items of a list that is ranked already."""
        return self.deadline_s if self.refresher.state.degraded else FETCH_TIMEOUT_S

    def _explain_later(self, page: Page, result_list: ResultList) -> Page:
        """Observes the signals of a cached list again: the viewer as of then, popularity as of now."""
        state = self.refresher.state
        request, _ = self._build_request(RankingOptions(result_list.query), state)
        found = locate(result_list.candidates, state.table)
        signals = observe(request, found, state.table, state.activity.popularity)
        get_ranker = partial(self._get_ranker, query=result_list.query)
        return explain(page, replace(result_list, signals=signals), get_ranker)

    def _get_ranker(self, model: str, query: Query) -> Ranker:
        """Returns a model as it ranks this query."""
        assignment = self.assigner.assign(query, find_unit(self.identify, query))
        return blend_rankers(self.refresher.models.get(model), assignment.config.blend)
