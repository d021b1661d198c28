"""The same request, served and backtested as of the same time, is ranked the same bit by bit.

Each test serves a request. A backtest over the same item table, engine and events then ranks it again as of
the time of the request. Compared are the ids of the candidates in their final order, every signal or feature,
and the scores, as bytes, so that NaN counts too. Nothing is rounded. A skew planted on purpose is found.

Not compared: what the two do differently on purpose, which is exploration (off here), the deadline of the
sources (long here) and the second that popularity may lag behind while a service runs (it is refreshed here).
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from reelrank.app.search.page import RankingOptions
from reelrank.app.search.ports import DefaultAssigner
from reelrank.app.search.result_list import ResultList
from reelrank.app.search.service import SearchService
from reelrank.app.search.stage_timings import StageTimings
from reelrank.app.wiring import Container, build_release_manager, load_model, warm_service
from reelrank.index_mappings.event import Event, EventKind
from reelrank.index_mappings.item import Item
from reelrank.index_mappings.query import Context, Query
from reelrank.ranking.embeddings.watches import build_event_table
from reelrank.ranking.features.compute import FEATURE_NAMES, compute_features
from reelrank.ranking.items.popularity.event_counts import build_popularity
from reelrank.ranking.signals.observe import Signals
from reelrank.ranking.training import past_requests
from reelrank.ranking.training.backtest import BacktestIndex, backtest, rank_past_request
from reelrank.ranking.training.past_requests import BacktestOptions
from reelrank.ranking.viewers.history import build_viewer
from reelrank.ranking.viewers.query_vectors import build_request
from tests.sample_project import add_model, build_project

NOW = datetime(2026, 7, 4, 20, 30, tzinfo=UTC)
NOW_MS = round(NOW.timestamp() * 1000)
CONTEXT = Context(NOW, country="US", device="tv")
COUNTRIES = ("USA", "US", "France", "")
GENRES = ("Sea", "War", "Noir")
USER = "u0"


def build_film(number: int) -> Item:
    return Item(
        f"film{number:03}",
        f"Harbour story {number}",
        f"A story of ship {number % 9}",
        genres=(GENRES[number % 3],),
        people=(f"Person {number % 17}",),
        tags=(f"tag{number % 11}",),
        countries=(COUNTRIES[number % 4],),
        duration_s=3000 + 60 * number,
        published_at=datetime(1990 + number % 30, 1, 1, tzinfo=UTC),
    )


FILMS = [build_film(number) for number in range(300)]


def build_events() -> list[Event]:
    """What many viewers did over a year, in no order of time, as workers acknowledge it."""
    rng = np.random.default_rng(4)
    kinds: Sequence[EventKind] = ("watch", "watch", "click", "impression", "like", "search")
    events = []
    for number in range(4000):
        kind, at_ms = kinds[number % len(kinds)], NOW_MS - int(rng.integers(1, 365 * 86_400_000))
        item = f"film{int(300 * rng.random() ** 2):03}"
        text, watched = ("ship story", None) if kind == "search" else ("", int(rng.integers(1, 100)))
        events.append(
            Event(
                f"e{number}", kind, f"u{number % 60}", at_ms, "" if kind == "search" else item,
                watched if kind == "watch" else None, 100 if kind == "watch" else None,
                request_id=f"r{number % 50}", text=text,
            )
        )  # fmt: skip
    return events


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> Container:
    container = build_project(tmp_path_factory.mktemp("data"), NOW - timedelta(days=400), FILMS)
    add_model(container, "first", 0)
    build_release_manager(container).promote_model("first")
    return container


@pytest.fixture(scope="module")
def service(container: Container) -> SearchService:
    """Counts the events in several batches, as they come in."""
    service = warm_service(container)
    events = build_events()
    for start in range(0, len(events), 1500):
        container.events.append(events[start : start + 1500])
        service.refresher.refresh()
    return service


def serve(service: SearchService, query: Query) -> ResultList:
    """Ranks with signals and without exploration."""
    config = service.assigner.assign(query).config.without_exploration()
    quiet = replace(service, assigner=DefaultAssigner(config))
    return quiet.rank_query(RankingOptions(query, explain=True), StageTimings())


def open_index(container: Container, service: SearchService) -> BacktestIndex:
    ranker = load_model(container.registry.find_directory("first"))
    return BacktestIndex(service.refresher.state.table, container.engine, container.encoder, ranker)


def assert_same_bits(served: Signals, backtested: Signals) -> None:
    assert served.columns.keys() == backtested.columns.keys()
    different = [
        name
        for name, column in served.columns.items()
        if np.ascontiguousarray(column).tobytes() != np.ascontiguousarray(backtested.columns[name]).tobytes()
    ]
    assert different == []


@pytest.mark.parametrize(
    "query",
    [
        Query(user=USER, context=CONTEXT, limit=50),
        Query(user="stranger", context=CONTEXT),
        Query(text="story of ship 3", user=USER, context=CONTEXT),
        Query(similar_to="film017", user=USER, context=CONTEXT),
    ],
    ids=lambda query: f"{query.kind}-{query.user}",
)
def test_a_served_request_is_ranked_the_same_as_in_the_past(
    container: Container, service: SearchService, query: Query
) -> None:
    served = serve(service, query)
    index = open_index(container, service)
    events = container.events.scan(0, NOW_MS)
    table = build_event_table(events)
    own = [Event(**row) for row in table.to_pylist() if row["user"] == query.user]
    viewer = build_viewer(query.user or "", own, NOW_MS)
    request = build_request(query, viewer, index.table, index.encoder)
    popularity = build_popularity(index.table, table.to_batches())
    ranking = rank_past_request(request, index, popularity, container.config)
    assert served.model == ranking.model == "first"
    assert served.candidates.ids.tolist() == ranking.found.candidates.ids[ranking.order].tolist()
    assert served.signals is not None
    assert_same_bits(served.signals, ranking.signals.take(ranking.order))
    assert served.scores.tobytes() == ranking.scores[ranking.order].tobytes()


@pytest.fixture(scope="module")
def served(container: Container, service: SearchService) -> ResultList:
    """A home page, from which its viewer watches something new at once."""
    served = serve(service, Query(user=USER, context=CONTEXT))
    seen = container.events.watched_items(USER, 1.0)
    new = next(film.id for film in FILMS if film.id not in seen)
    shown = Event(
        f"{served.request_id}-0", "impression", USER, NOW_MS, new, request_id=served.request_id, position=0,
        device=CONTEXT.device, country=CONTEXT.country,
    )  # fmt: skip
    watch = Event(f"w-{served.request_id}", "watch", USER, NOW_MS, new, 90, 100, served.request_id)
    container.events.append([shown, watch])
    return served


def find_differences(container: Container, service: SearchService, served: ResultList) -> set[str]:
    """Runs a backtest of the minute of the served page; names what is not the same."""
    events = build_event_table(container.events.scan(0, NOW_MS + 1))
    options = BacktestOptions(config=container.config)
    (judged,) = backtest(events, open_index(container, service), (NOW_MS, NOW_MS + 1), options)
    if served.candidates.ids.tolist() != judged.candidates.ids[judged.order].tolist():
        return {"candidates"}
    assert served.signals is not None
    features = compute_features(served.signals)
    pairs = zip(FEATURE_NAMES, features.T, judged.features[judged.order].T, strict=True)
    different = {name for name, online, offline in pairs if online.tobytes() != offline.tobytes()}
    same_scores = served.scores.tobytes() == judged.scores[judged.order].tobytes()
    return different if same_scores else different | {"scores"}


def test_a_backtest_judges_the_page_that_was_served(
    container: Container, service: SearchService, served: ResultList
) -> None:
    assert find_differences(container, service, served) == set()


def test_a_backtest_that_forgets_device_and_country_is_caught(
    container: Container, service: SearchService, served: ResultList, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past_requests, "_build_context", lambda opened: Context(NOW))
    different = find_differences(container, service, served)
    assert {"device_x_duration", "is_holiday", "same_country", "candidates"} & different
