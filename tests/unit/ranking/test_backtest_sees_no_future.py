"""The whole replay, from embeddings to features, under two futures: what happens later must change nothing.

The same check is run on replays with a leak planted in them, to see that it would be caught.
"""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from reelrank.app.jobs import training as learning
from reelrank.app.jobs.history import History
from reelrank.app.jobs.training import collect_judged_requests
from reelrank.app.settings import Settings
from reelrank.app.wiring import Container, build_container
from reelrank.index_mappings.event import EVENT_SCHEMA, Event
from reelrank.index_mappings.item import Item
from reelrank.loaders.items.catalogue import LoadOptions, load_catalogue
from reelrank.ranking.embeddings.preferences import select_preferences
from reelrank.ranking.embeddings.watches import Watches
from reelrank.ranking.evaluation.judged_request import JudgedRequest
from reelrank.ranking.features.compute import FEATURE_NAMES
from reelrank.ranking.items.popularity.counters import Popularity
from reelrank.ranking.items.watch_columns import hash_viewers, select_watch_columns
from reelrank.ranking.progress import ignore_progress
from reelrank.ranking.training import backtest as replay
from reelrank.ranking.training import past_requests
from reelrank.ranking.viewers.history import Viewer, build_viewer

NOW = datetime(2026, 11, 24, tzinfo=UTC)
NOW_MS = round(NOW.timestamp() * 1000)
DAY_MS, MINUTE_MS = 86_400_000, 60_000
FILMS, VIEWERS, PAST = 40, 30, 8


def build_watch(user_number: int, film_number: int, at_ms: int) -> Event:
    return Event(
        f"{user_number}-{film_number}-{at_ms}",
        "watch",
        f"u{user_number}",
        at_ms,
        f"film{film_number:02}",
        9,
        10,
    )


def build_events_with_future(seed: int) -> pa.Table:
    """Everybody's past, the same for every seed, and from NOW_MS on what they watch next, by the seed."""
    past, future = np.random.default_rng(0), np.random.default_rng(seed)
    events = []
    for user in range(VIEWERS):
        seen, unseen = np.split(past.permutation(FILMS), [PAST])
        events += [build_watch(user, int(f), NOW_MS - DAY_MS + n * MINUTE_MS) for n, f in enumerate(seen)]
        later = future.permutation(unseen)[:6]
        events += [build_watch(user, int(f), NOW_MS + n * MINUTE_MS) for n, f in enumerate(later)]
    columns = {field.name: [getattr(e, field.name) for e in events] for field in EVENT_SCHEMA}
    return pa.Table.from_pydict(columns, EVENT_SCHEMA)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Container:
    parts = build_container(Settings(data_dir=tmp_path_factory.mktemp("data")))
    films = [Item(f"film{n:02}", f"Story {n}", genres=(f"G{n % 4}",)) for n in range(FILMS)]
    load_catalogue(films, parts.engine, parts.encoder, LoadOptions(created_at=NOW))
    return parts


@pytest.fixture(autouse=True)
def home_pages_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A replayed search is made from what is watched next, so its words are of the future on purpose."""
    monkeypatch.setattr(past_requests, "SEARCH_SHARE", 0.0)


def backtest_pages(parts: Container, seed: int) -> list[JudgedRequest]:
    """Every viewer's home page at NOW_MS, as of that moment."""
    version = parts.engine.serving_version() or ""
    documents = [d for batch in parts.engine.scan(version) for d in batch]
    history = History(parts, build_events_with_future(seed), documents, 0, NOW_MS, NOW_MS + 1)
    return collect_judged_requests(history, ignore_progress)


def backtest_two_futures(parts: Container) -> tuple[list[JudgedRequest], list[JudgedRequest]]:
    return backtest_pages(parts, 1), backtest_pages(parts, 2)


def find_changes(parts: Container) -> set[str]:
    """The features, or `candidates`, that are not the same bit by bit."""
    one, other = backtest_two_futures(parts)
    changed: set[str] = set()
    for a, b in zip(one, other, strict=True):
        if a.candidates.ids.tolist() != b.candidates.ids.tolist():
            return {"candidates"}
        pairs = zip(FEATURE_NAMES, a.features.T, b.features.T, strict=True)
        changed |= {name for name, x, y in pairs if not np.array_equal(x, y, equal_nan=True)}
    return changed


def test_another_future_changes_what_was_wanted_and_nothing_that_was_known(parts: Container) -> None:
    one, other = backtest_two_futures(parts)
    assert len(one) == VIEWERS
    assert [j.relevant.tolist() for j in one] != [j.relevant.tolist() for j in other]
    assert find_changes(parts) == set()


def test_a_viewer_who_already_watched_the_future_is_caught(
    parts: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build_viewer_a_day_ahead(user: str, events: list[Event], as_of_ms: int) -> Viewer:
        return build_viewer(user, events, as_of_ms + DAY_MS)

    monkeypatch.setattr(replay, "build_viewer", build_viewer_a_day_ahead)
    assert find_changes(parts)


def test_popularity_that_counts_the_future_is_caught(
    parts: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = iter((build_events_with_future(1), build_events_with_future(2)))

    def build_popularity_of_all_time(size: int) -> Popularity:
        counting = Popularity(size)
        events = next(counted)
        films = np.char.partition(events["item"].to_numpy().astype(str), "film")[:, 2].astype(np.intp)
        for batch, rows in zip(events.to_batches(), np.split(films, []), strict=True):
            viewers = hash_viewers(batch["user"], counting.audience.key)
            counting.add_watches(select_watch_columns(batch, viewers, rows))
        return counting

    monkeypatch.setattr(replay, "Popularity", build_popularity_of_all_time)
    assert find_changes(parts)


def test_embeddings_learned_from_the_future_are_caught(
    parts: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    def select_a_day_ahead(events: pa.Table, before_ms: int) -> Watches:
        return select_preferences(events, before_ms + DAY_MS)

    monkeypatch.setattr(learning, "select_preferences", select_a_day_ahead)
    assert find_changes(parts)
