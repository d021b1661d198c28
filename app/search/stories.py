"""What happens when a viewer asks: one request from the query to the page."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

from app.search.cursors import Cursors
from app.search.facets import facets_of
from app.search.intake import Intake
from app.search.live import Live
from app.search.ordering import explored, ordered
from app.search.page import Page
from app.search.page_log import PageLog
from app.search.ranked import Ranked
from app.search.showing import FETCH_S, Part, explained, shown
from app.search.side_by_side import run
from app.search.stages import Stages
from app.search.state import State
from app.search.viewers import Viewers
from index_mappings.encoder import TextEncoder
from index_mappings.engine import AppendReport, EventStore, SearchEngine
from index_mappings.errors import EngineError, Timeout, Unavailable
from index_mappings.event import Event
from index_mappings.match import Matches
from index_mappings.query import Query
from ranking.fusion import fuse
from ranking.moment import Moment
from ranking.ranker import EngineOrder, Ranker
from ranking.signals import Signals, observe
from ranking.sources import Caps, SourceRequest, answer, candidates_of, plan
from ranking.vectors import moment_of
from ranking.viewer import Viewer

VIEWER_SHARE = 0.5
"""Of the deadline, the most that looking the viewer up may take: the sources get what is left of it."""
GRACE = 0.15
"""Of the deadline, what a page of a late engine has at least for its items: it ends by a fifth above."""
LISTED = {"popular", "fresh"}
"""Sources that the item table answers, whatever the engine does."""
Failed = Callable[[str, EngineError], None]


@dataclass(frozen=True, slots=True)
class Ask:
    """A query and how its answer is wanted.

    model: another one than the promoted. keep: also a list that is shown whole, to be explained later.
    """

    query: Query
    model: str | None = None
    explain: bool = False
    facets: bool = False
    keep: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Service:
    """Everything a request needs. What changes while it serves is in `live`.

    failed: told of each source, and of the viewer, that an engine did not answer, or in part.
    explore_slots: places of a page at most that exploration may draw.
    """

    engine: SearchEngine
    events: EventStore
    encoder: TextEncoder
    live: Live
    cursors: Cursors
    log: PageLog
    caps: Caps
    deadline_s: float
    pool: ThreadPoolExecutor
    intake: Intake
    failed: Failed
    explore_slots: int = 0

    def page(self, ask: Ask) -> Page:
        """A search, a home page or similar items, by the kind of the query.

        Raises Unavailable, NotFound for a model that is not there, Refused for one that does not fit.
        """
        stages = Stages()
        ranked = self.ranked(ask, stages)
        with stages.stage("fetch"):
            page = shown(ranked, Part(0, ask.query.limit, self._fetch_s(ranked, stages)), self.engine)
        if page.cursor or ask.keep:
            with stages.stage("keep"):
                page = self._kept(ranked, page)
        self.log.record(ranked, replace(page, stages=dict(stages.seconds)))
        if ask.facets:
            with stages.stage("facets"):
                page = replace(page, facets=facets_of(self.live.state.table, ranked.candidates.ids))
        if ask.explain:
            page = self._explained(page, ranked)
        return replace(page, stages=stages.seconds)

    def _kept(self, ranked: Ranked, page: Page) -> Page:
        """A list that cannot be kept is shown all the same, without a next part."""
        try:
            self.cursors.keep(ranked)
        except EngineError as error:
            return replace(page, cursor=None, degraded=(*page.degraded, f"next pages: {error}"))
        return page

    def next_page(self, cursor: str, limit: int, explain: bool = False) -> Page:
        """A later part of a list as it was ranked then. Raises NotFound when it is kept no longer."""
        ranked, start = self.cursors.find(cursor)
        page = shown(ranked, Part(start, limit, self._later_s), self.engine)
        self.log.record(ranked, page)
        return self._explained(page, ranked) if explain else page

    def why(self, cursor: str) -> Page:
        """The one hit at a cursor, explained. Looking at why is no impression. Raises NotFound."""
        ranked, start = self.cursors.find(cursor)
        return self._explained(shown(ranked, Part(start, 1, self._later_s), self.engine), ranked)

    def ranked(self, ask: Ask, stages: Stages) -> Ranked:
        """All candidates of a query in their final order; nothing is fetched, kept or recorded.

        Raises Timeout or Unavailable when no source answered.
        """
        state = self.live.state
        ranker, missing = self._ranker(ask.model, state)
        with stages.stage("viewer"):
            moment, unknown = self._moment(ask.query, state)
        with stages.stage("sources"):
            sources = plan(moment, state.table, self.caps)
            left_s = self.deadline_s - min(stages.seconds["viewer"], VIEWER_SHARE * self.deadline_s)
            found = run(sources, partial(self._answer, state), left_s, self.pool)
        told = self._told(found.missing)
        if found.is_empty:
            raise found.failure()
        with stages.stage("fuse"):
            candidates = candidates_of(moment, found.matches, state.table)
        best = ordered(moment, candidates, state, ranker, stages)
        missing += unknown + told + best.missing
        request_id = uuid.uuid4().hex
        with stages.stage("explore"):
            best = explored(best, ask.query, 0 if missing else self.explore_slots, state, request_id)
        stages.seconds.update({f"source {name}": took for name, took in found.seconds.items()})
        ranked = best.listed(request_id, ask.query, state.version, missing)
        if ask.explain or self.log.is_sampled(ranked.request_id):
            return replace(ranked, signals=best.signals.take(best.order))
        return ranked

    def rank(self, query: Query, matches: list[Matches], model: str | None) -> Ranked:
        """Candidates that the caller found, ranked. Nothing is fetched, kept or recorded."""
        state = self.live.state
        ranker, missing = self._ranker(model, state)
        moment, unknown = self._moment(query, state)
        best = ordered(moment, fuse(matches), state, ranker, Stages())
        return best.listed(uuid.uuid4().hex, query, state.version, missing + unknown + best.missing)

    def take_in(self, events: Sequence[Event]) -> AppendReport:
        """What viewers did, durable when it returns."""
        report = self.intake.append(events)
        self.log.deeds(events)
        return report

    def viewer(self, query: Query) -> tuple[Viewer, tuple[str, ...]]:
        """The viewer as of the query's moment, and what of them could not be had."""
        viewer, missing = Viewers(self.events, self.pool).find(query, VIEWER_SHARE * self.deadline_s)
        return viewer, self._told(missing)

    def warm(self) -> None:
        """Asks once for everything that is made at its first use, where there is something to ask."""
        self.encoder.encode(["words load the encoder"])
        self.live.refresh()
        if self.live.is_ready:
            for query in (Query(text="warm"), Query(user="nobody", similar_to="nothing"), Query()):
                self.ranked(Ask(query, explain=True), Stages())

    def _fetch_s(self, ranked: Ranked, stages: Stages) -> float:
        """An engine that answered any of its sources is waited for; one that answered none is in trouble."""
        if not ranked.degraded or set(ranked.candidates.sources) - LISTED:
            return FETCH_S
        spent_s = stages.seconds["viewer"] + stages.seconds["sources"]
        return max(self.deadline_s - spent_s, GRACE * self.deadline_s)

    @property
    def _later_s(self) -> float:
        """For the items of a list that is ranked already."""
        return self.deadline_s if self.live.state.degraded else FETCH_S

    def _moment(self, query: Query, state: State) -> tuple[Moment, tuple[str, ...]]:
        viewer, unknown = self.viewer(query)
        return moment_of(query, viewer, state.table, self.encoder), unknown

    def _ranker(self, model: str | None, state: State) -> tuple[Ranker, tuple[str, ...]]:
        if model is None:
            return state.ranker, state.degraded
        try:
            return self.live.models.named(model), ()
        except (Timeout, Unavailable) as error:
            return EngineOrder(), (f"ranking: {error}",)

    def _answer(self, state: State, request: SourceRequest, timeout_s: float) -> Matches:
        return answer(request, self.engine, state.table, state.crowd.popularity, timeout_s)

    def _told(self, failures: Mapping[str, EngineError]) -> tuple[str, ...]:
        """Counted, and in the words that a page has for them."""
        for what, error in failures.items():
            self.failed(what, error)
        return tuple(f"{what}: {error}" for what, error in failures.items())

    def _explained(self, page: Page, ranked: Ranked) -> Page:
        try:
            return explained(page, ranked, self._signals(ranked), self.live.models.named(ranked.model))
        except (Timeout, Unavailable) as error:
            return replace(page, degraded=(*page.degraded, f"explanation: {error}"))

    def _signals(self, ranked: Ranked) -> Signals:
        """Of a list that was kept they are observed again: the viewer as of then, popularity as of now."""
        if ranked.signals is not None:
            return ranked.signals
        state = self.live.state
        moment, _ = self._moment(ranked.query, state)
        return observe(moment, ranked.candidates, state.table, state.crowd.popularity)
