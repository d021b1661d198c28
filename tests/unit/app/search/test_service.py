"""A request from the query to the page, on the real embedded engine."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reelrank.app.engines.embedded.engine import EmbeddedEngine
from reelrank.app.engines.embedded.store.events import EmbeddedEvents
from reelrank.app.search.lexical.proposals import add_proposals
from reelrank.app.search.page import RankingOptions
from reelrank.app.search.parallel_sources import run_sources
from reelrank.app.search.service import SearchService
from reelrank.app.search.trial.warm_up import choose_samples, warm_up
from reelrank.app.settings import Settings
from reelrank.app.state.snapshot import State
from reelrank.app.wiring import Container, build_container, build_service, warm_service
from reelrank.index_mappings.engine import TextMatch
from reelrank.index_mappings.errors import (
    NO_MODEL,
    BadRequest,
    Degradation,
    EngineError,
    Partial,
    Timeout,
    Unavailable,
)
from reelrank.index_mappings.event import Event
from reelrank.index_mappings.event_store import PastEvent
from reelrank.index_mappings.item import Item
from reelrank.index_mappings.match import Matches, build_empty_matches
from reelrank.index_mappings.query import Context, Filters, Query
from reelrank.ranking.retrieval.sources import SourceRequest
from tests.raised import raises_code
from tests.sample_project import FILMS, SEA, SPACE, build_project
from tests.slow_engine import SlowEngine, SlowEvents

NOW = datetime(2026, 11, 24, tzinfo=UTC)
NOW_MS = round(NOW.timestamp() * 1000)


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> Container:
    return build_project(tmp_path_factory.mktemp("data"), NOW)


@pytest.fixture
def service(container: Container) -> SearchService:
    return warm_service(container)


def build_query(**fields: object) -> Query:
    return Query(context=Context(NOW), **fields)  # type: ignore[arg-type]  # a test's own keywords


def recommend_ids(service: SearchService, query: Query) -> list[str]:
    return [hit.item.id for hit in service.serve_page(RankingOptions(query)).hits]


def test_a_service_that_misses_the_deadline_of_its_warm_up_serves(service: SearchService) -> None:
    warm_up(replace(service, deadline_s=1e-9))
    assert recommend_ids(service, build_query(text="story"))


def test_a_search_matches_text_and_filters(service: SearchService) -> None:
    assert recommend_ids(service, build_query(text="story 7", filters=Filters(genres=("Sea",))))[0] == "sea7"
    assert all(
        n.startswith("sea")
        for n in recommend_ids(service, build_query(text="story", filters=Filters(genres=("Sea",))))
    )


def test_a_home_page_fits_the_viewer_without_watched_items(service: SearchService) -> None:
    shown = recommend_ids(service, build_query(user="u0", limit=6))
    watched = {event.item for event in service.events.recent("u0", 100, 1.0)}
    assert not set(shown) & watched
    assert all(name.startswith(SEA) for name in shown)


def test_many_impressions_do_not_hide_the_watches_of_a_viewer(
    service: SearchService,
) -> None:
    watched = {event.item for event in service.events.recent("u2", 100, 1.0)}
    times = range(NOW_MS - 5000, NOW_MS - 1000)
    service.events.append([Event(f"shown-{at}", "impression", "u2", at, "space1") for at in times])
    shown = recommend_ids(service, build_query(user="u2", limit=6))
    assert not set(shown) & watched
    assert all(name.startswith(SEA) for name in shown)


def test_one_watch_by_a_new_viewer_changes_their_home_page_at_once(service: SearchService) -> None:
    before = recommend_ids(service, build_query(user="new", limit=8))
    service.events.append([Event("n1", "watch", "new", NOW_MS - 10, "space3", 9, 10)])
    after = recommend_ids(service, build_query(user="new", limit=8))
    assert after != before
    assert "space3" not in after
    assert sum(n.startswith(SPACE) for n in after) > len(after) // 2


def test_similar_items_leave_out_the_item_itself(service: SearchService) -> None:
    shown = recommend_ids(service, build_query(similar_to="sea3", limit=5))
    assert "sea3" not in shown
    assert all(name.startswith(SEA) for name in shown)


def test_a_page_without_a_model_is_in_fused_order_and_degraded(service: SearchService) -> None:
    page = service.serve_page(RankingOptions(build_query(text="story")))
    assert page.model == "engine-order"
    assert page.degraded == (NO_MODEL,)


def test_late_and_failing_sources_are_dropped_and_reported(service: SearchService) -> None:
    def answer(request: SourceRequest, timeout_s: float) -> Matches:
        if request.source == "late":
            time.sleep(0.5)
        if request.source == "broken":
            raise EngineError("a shard is red")
        return build_empty_matches(request.source)

    requests = [TextMatch(source, "x", 1) for source in ("late", "well", "broken")]
    answered = run_sources(requests, answer, 0.1, service.pool)
    assert [m.source for m in answered.matches] == ["well"]
    failures = {source: (type(error), str(error)) for source, error in answered.failures.items()}
    assert failures == {
        "late": (Timeout, "no answer within 100 ms"),
        "broken": (EngineError, "a shard is red"),
    }


def answer_after(seconds: float) -> Callable[[SourceRequest, float], Matches]:
    def answer(request: SourceRequest, timeout_s: float) -> Matches:
        time.sleep(seconds if request.source == "late" else 9 * seconds)
        return build_empty_matches(request.source)

    return answer


def test_the_first_of_sources_that_are_all_late_makes_the_page(service: SearchService) -> None:
    requests = [TextMatch(source, "x", 1) for source in ("late", "later")]
    answered = run_sources(requests, answer_after(0.3), 0.2, service.pool)
    assert [m.source for m in answered.matches] == ["late"]
    assert answered.failures.keys() == {"later"}


def test_sources_that_stay_late_are_not_waited_for_for_ever(service: SearchService) -> None:
    started = time.monotonic()
    answered = run_sources([TextMatch("late", "x", 1)], answer_after(2.0), 0.1, service.pool)
    assert answered.is_empty
    assert isinstance(answered.to_error(), Timeout)
    assert time.monotonic() - started < 2.0


def test_a_new_state_is_tried_before_requests_are_answered_from_it(container: Container) -> None:
    service = build_service(container)
    seen = list[str]()

    def note(state: State) -> None:
        assert not service.refresher.is_ready
        seen.extend(query.similar_to or "" for query in choose_samples(state.table))

    service.refresher.try_first(note)
    for _ in range(2):
        service.refresher.refresh()
    learned = [item for item in seen if item]
    assert len(seen) == 4
    assert container.engine.fetch(learned, 1.0)[0] is not None


def test_a_request_whose_sources_all_failed_raises(service: SearchService) -> None:
    def answer(request: SourceRequest, timeout_s: float) -> Matches:
        raise BadRequest("another mapping") if request.source == "broken" else Unavailable("away")

    answered = run_sources(
        [TextMatch(source, "x", 1) for source in ("broken", "gone")], answer, 5.0, service.pool
    )
    assert answered.is_empty
    failure = answered.to_error()
    assert (type(failure), str(failure)) == (
        Unavailable, "no source answered (broken: another mapping; gone: away)"
    )  # fmt: skip


@pytest.mark.parametrize("user", [None, "u0", "new"])
def test_a_home_page_has_items_while_the_engine_is_slow(container: Container, user: str | None) -> None:
    engine = SlowEngine(container.settings.engine_dir, container.clock)
    slow = replace(warm_service(replace(container, engine=engine)), deadline_s=0.1)
    clients = ThreadPoolExecutor(16)
    pages = list(
        clients.map(lambda _: slow.serve_page(RankingOptions(build_query(user=user, limit=6))), range(48))
    )
    assert all(len(page.hits) == 6 for page in pages)
    assert all("popular" not in page.missing_parts for page in pages)
    assert user != "u0" or any("neighbours" in page.missing_parts for page in pages)


def test_a_home_page_has_items_while_no_thread_is_free(service: SearchService) -> None:
    pool = ThreadPoolExecutor(1)
    pool.submit(time.sleep, 1)
    busy = replace(service, pool=pool, viewer_pool=pool, deadline_s=0.1)
    page = busy.serve_page(RankingOptions(build_query(user="u0", limit=6)))
    assert len(page.hits) == 6
    assert {"viewer", "watched"} <= set(page.missing_parts)


@pytest.mark.parametrize("query", [{"similar_to": "sea3"}, {"text": "story"}, {}], ids=str)
def test_a_viewer_who_is_read_late_takes_no_thread_from_the_sources(
    container: Container, query: dict[str, str]
) -> None:
    events = SlowEvents(container.settings.engine_dir)
    service = warm_service(replace(container, events=events))
    slow = replace(service, pool=ThreadPoolExecutor(2), viewer_pool=ThreadPoolExecutor(2), deadline_s=0.6)
    page = slow.serve_page(RankingOptions(build_query(user="u0", limit=6, **query)))
    assert len(page.hits) == 6
    assert "viewer" in page.missing_parts


class UnavailableEvents(EmbeddedEvents):
    """Events that cannot be read for a while."""

    def past(self, *_: object, **__: object) -> list[PastEvent]:
        raise Unavailable("the event store is away")


def test_a_viewer_who_cannot_be_read_gets_a_degraded_page(
    service: SearchService, container: Container
) -> None:
    away = replace(service, events=UnavailableEvents(container.settings.engine_dir))
    page = away.serve_page(RankingOptions(build_query(user="u0", limit=6)))
    assert len(page.hits) == 6
    assert Degradation("viewer", "unavailable", "the event store is away") in page.degraded


def test_an_empty_data_directory_says_what_to_do(tmp_path: Path) -> None:
    with raises_code(Unavailable, "no_index_version"):
        warm_service(build_container(Settings(data_dir=tmp_path)))
    assert not EmbeddedEngine(tmp_path / "engine").is_ready()


HEARTBEATS = [Event(f"beat{n}", "watch", "fan", NOW_MS - 50_000 + n, "space0", 9, 10) for n in range(1200)]
LOOKS = [Event(f"look{n}", "click", "fan", NOW_MS - 40_000 + n, "space1") for n in range(1200)]
TEN = [Event(f"ten{n}", "watch", "fan", NOW_MS - 90_000 + n, f"sea{n}", 100, 100) for n in range(10)]
WATCHED_BY_FAN = {"space0", *(event.item for event in TEN)}


@pytest.fixture
def fan(service: SearchService) -> SearchService:
    """With a viewer who watched ten films, and then one film in 1,200 events, with as many clicks."""
    service.events.append([*TEN, *HEARTBEATS, *LOOKS])
    return service


def test_no_number_of_events_brings_a_watched_item_back(fan: SearchService) -> None:
    shown = recommend_ids(fan, build_query(user="fan", limit=100))
    assert set(shown) == {item.id for item in FILMS} - WATCHED_BY_FAN


def test_similar_items_leave_out_what_the_viewer_watched(fan: SearchService) -> None:
    shown = recommend_ids(fan, build_query(user="fan", similar_to="sea11", limit=20))
    assert shown
    assert not set(shown) & WATCHED_BY_FAN
    assert set(recommend_ids(fan, build_query(similar_to="sea11", limit=20))) & WATCHED_BY_FAN


def test_a_search_finds_what_the_viewer_watched(fan: SearchService) -> None:
    assert recommend_ids(fan, build_query(user="fan", text="sea story 7"))[0] == "sea7"


def test_a_watch_with_a_time_in_the_future_counts_at_once(service: SearchService) -> None:
    service.events.append([Event("ahead", "watch", "early", NOW_MS + 240_000, "space5", 9, 10)])
    assert "space5" not in recommend_ids(service, build_query(user="early", limit=100))


def test_a_viewer_who_watched_nearly_everything_gets_the_rest(service: SearchService) -> None:
    left = {"sea3", "space9"}
    watched = [item.id for item in FILMS if item.id not in left]
    service.events.append([Event(f"all-{i}", "watch", "all", NOW_MS - 500, i, 9, 10) for i in watched])
    assert set(recommend_ids(service, build_query(user="all", limit=5))) == left
    assert recommend_ids(service, build_query(user="all", limit=5, filters=Filters(genres=("Sea",)))) == [
        "sea3"
    ]


class UnansweringEngine(EmbeddedEngine):
    def fetch(self, ids: Sequence[str], timeout_s: float) -> list[Item | None]:
        raise Timeout("no answer in time")


class SlowWatchedItems(EmbeddedEvents):
    """Answers for the recent past, but not in time for all that was watched."""

    def watched_items(self, user: str, timeout_s: float) -> frozenset[str]:
        time.sleep(2 * timeout_s)
        return super().watched_items(user, timeout_s)


class SomeWatchedItems(EmbeddedEvents):
    """An event store of which a part does not answer."""

    def watched_items(self, user: str, timeout_s: float) -> frozenset[str]:
        raise Partial("1 of 2 shards did not answer", frozenset({"sea4"}))


def test_late_watched_items_are_reported(service: SearchService, container: Container) -> None:
    slow = replace(service, events=SlowWatchedItems(container.settings.engine_dir), deadline_s=0.4)
    page = slow.serve_page(RankingOptions(build_query(user="u0", limit=6)))
    assert Degradation("watched", "timeout", "no answer in time") in page.degraded
    watched = {event.item for event in service.events.recent("u0", 100, 1.0, ("watch",))}
    assert not {hit.item.id for hit in page.hits} & watched


def test_watched_items_of_a_partial_answer_are_left_out(service: SearchService, container: Container) -> None:
    some = replace(service, events=SomeWatchedItems(container.settings.engine_dir))
    page = some.serve_page(RankingOptions(build_query(user="stranger", limit=100)))
    assert Degradation("watched", "partial_result", "1 of 2 shards did not answer") in page.degraded
    assert "sea4" not in {hit.item.id for hit in page.hits}


def test_an_unreadable_viewer_sees_nothing_watched(service: SearchService, container: Container) -> None:
    away = replace(service, events=UnavailableEvents(container.settings.engine_dir))
    watched = service.events.watched_items("u0", 1.0)
    shown = recommend_ids(away, build_query(user="u0", limit=100))
    assert watched
    assert not set(shown) & watched


@pytest.mark.parametrize(
    "text", ["sea story 1", "SEA STORY 1", "sea story one", "Sea  story-1", "sea stoyr 1"]
)
def test_a_typed_title_is_first_however_it_is_typed(service: SearchService, text: str) -> None:
    result = service.serve_page(RankingOptions(build_query(text=text, limit=5)))
    assert result.hits[0].item.id == "sea1"
    assert "title" in result.hits[0].sources


def test_titles_that_begin_with_the_query_come_next(service: SearchService) -> None:
    found = recommend_ids(service, build_query(text="space sto", limit=12))
    assert set(found) == {f"space{n}" for n in range(12)}


def test_a_typed_title_obeys_the_filters(service: SearchService) -> None:
    found = recommend_ids(service, build_query(text="sea story 1", filters=Filters(genres=("Space",))))
    assert found
    assert "sea1" not in found


def test_total_and_facets_of_a_search_leave_out_what_vectors_found(service: SearchService) -> None:
    query = build_query(text="sea", limit=24)
    page = service.serve_page(RankingOptions(query, facets=True))
    assert page.search is not None
    assert (page.search.match, page.search.total, page.search.is_lower_bound) == ("lexical", 12, False)
    assert page.facets["genres"] == {"Sea": 12}
    assert page.candidates > page.search.total
    assert [hit.match for hit in page.hits] == ["lexical"] * 12 + ["semantic"] * (len(page.hits) - 12)


def test_a_home_page_has_no_search_outcome(service: SearchService) -> None:
    page = service.serve_page(RankingOptions(build_query(user="u0")))
    assert page.search is None
    assert {hit.match for hit in page.hits} == {None}


def test_gibberish_finds_nothing_and_popular_titles_are_proposed(service: SearchService) -> None:
    page = service.serve_page(RankingOptions(build_query(text="zzzzqqq")))
    assert (page.hits, page.candidates) == ((), 0)
    assert page.search is not None
    assert (page.search.match, page.search.did_you_mean) == ("none", "")
    assert len(page.search.suggestions) == 5


@pytest.mark.parametrize("text", ["voyage", "ocean", "七人の侍"])
def test_a_real_word_that_no_item_has_finds_what_is_similar(service: SearchService, text: str) -> None:
    page = service.serve_page(RankingOptions(build_query(text=text)))
    assert page.search is not None
    assert (page.search.match, page.search.total) == ("semantic", 0)
    assert {hit.match for hit in page.hits} == {"semantic"}


@pytest.mark.parametrize(
    ("text", "meant"),
    [("sea stoyr 1", "Sea story 1"), ("spcae stories", "space stories"), ("sea story 1", ""), ("story", "")],
)
def test_a_corrected_text_is_named_as_the_catalogue_writes_it(
    service: SearchService, text: str, meant: str
) -> None:
    page = service.serve_page(RankingOptions(build_query(text=text)))
    assert page.search is not None
    assert page.search.did_you_mean == meant


def test_an_engine_that_does_not_answer_leaves_proposals_out(service: SearchService) -> None:
    page = service.serve_page(RankingOptions(build_query(text="zzzzqqq")))
    state = service.refresher.state
    assert page.search is not None
    bare = replace(page, search=replace(page.search, suggestions=()))
    dead = UnansweringEngine(Path())
    assert add_proposals(bare, state, dead, 1.0) == bare
