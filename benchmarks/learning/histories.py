"""Generates a log of pages and what viewers did, of any size: decisions in the lake, events in the store.

What viewers play depends on two signals, so that there is something to learn; all other signals are noise.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmarks.data.catalogue import Catalogue
from reelrank.app.engines.embedded.store.events import INSERT, EmbeddedEvents
from reelrank.app.wiring import Container, build_lake_storage, build_user_keys
from reelrank.index_mappings.decision import REQUEST_SCHEMA, build_candidate_schema, name_signal_column
from reelrank.index_mappings.event import DAY_MS, EVENT_FIELDS, MINUTE_MS, Event
from reelrank.loaders.items.catalogue import LoadOptions, load_catalogue
from reelrank.loaders.lake.writer import LakeWriter
from reelrank.ranking.features.compute import FEATURE_NAMES
from reelrank.ranking.progress import Progress
from reelrank.ranking.retrieval.source_names import SOURCES
from reelrank.ranking.training.logged_rows import list_signals

PAGE = 20
WHOLE_SHARE, CANDIDATES = 0.1, 300
"""The default share of requests that are logged whole, and how many candidates such a one has here."""
IMPRESSIONS_PER_VIEWER = 200
PLAY_SHARE, SCALE = 0.02, 16 / 3
"""Two plays in 98 impressions, as design figures have it; SCALE is one over the mean cube of a mean of two
uniform numbers."""
PREDICTIVE = ("cosine_factors", "fused")
"""Signals that tell what is played."""
DURATION_MS = 60 * MINUTE_MS
ROWS_AT_ONCE = 1_000_000


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """impressions: about so many, over `days` days before `end`, of items of a catalogue."""

    impressions: int
    days: int
    end: datetime
    catalogue: Catalogue

    @property
    def viewers(self) -> int:
        return max(self.impressions // IMPRESSIONS_PER_VIEWER, 100)


@dataclass(frozen=True, slots=True, eq=False)
class _Pages:
    """n requests of one time: at_ms, viewers [n], sizes [n] of their lists of candidates. plays [rows]."""

    first: int
    at_ms: NDArray[np.int64]
    viewers: NDArray[np.int64]
    sizes: NDArray[np.int64]
    items: NDArray[np.int64]
    signals: dict[str, NDArray[np.float32]]
    plays: NDArray[np.bool_]

    @property
    def positions(self) -> NDArray[np.int32]:
        starts = np.repeat(np.cumsum(self.sizes) - self.sizes, self.sizes)
        return (np.arange(len(self.items)) - starts).astype(np.int32)

    @property
    def request_ids(self) -> pa.Array:
        return pa.array([f"r{self.first + n:09d}" for n in range(len(self.sizes))])


def write_history(history: History, container: Container, progress: Progress) -> int:
    """Writes the decisions into the lake and the events into the store; returns the number of events."""
    ids = np.array([history.catalogue.id_of(n) for n in range(history.catalogue.size)])
    keys = build_user_keys(container.settings)
    users = [f"viewer-{n}" for n in range(history.viewers)]
    user_keys = pa.array([keys.get_key(user) for user in users])
    writer, stored = LakeWriter(build_lake_storage(container.settings)), 0
    assert isinstance(container.events, EmbeddedEvents)
    with _without_indexes(container.events):
        for done, pages in enumerate(_generate(history)):
            requests, candidates = _build_tables(pages, ids, user_keys)
            writer.write_decisions(requests, candidates, (history.end + timedelta(days=2)).date())
            stored += _store_events(container.events, pages, ids, users)
            progress("generating", (done + 1) * ROWS_AT_ONCE, None)
    return stored


@contextmanager
def _without_indexes(store: EmbeddedEvents) -> Iterator[None]:
    """Drops the indexes of events and builds them again in the end, which takes a third of the time."""
    with store.database.transaction() as connection:
        select = (
            "select name, sql from sqlite_master where type = 'index' and tbl_name = 'events' and sql > ''"
        )
        indexes = connection.execute(select).fetchall()
        for name, _ in indexes:
            connection.execute(f"drop index {name}")
    yield
    with store.database.transaction() as connection:
        for _, create in indexes:
            connection.execute(create)


def _generate(history: History) -> Iterator[_Pages]:
    """Yields the requests in the order of time, at most a day and about ROWS_AT_ONCE rows at a time."""
    rng, first = np.random.default_rng(0), 0
    per_day = max(history.impressions // PAGE // history.days, 1)
    rows_per_request = PAGE + WHOLE_SHARE * (CANDIDATES - PAGE)
    parts = max(round(per_day * rows_per_request / ROWS_AT_ONCE), 1)
    begin_ms = round(history.end.timestamp() * 1000) - history.days * DAY_MS
    for day in range(history.days):
        for part in range(parts):
            n = per_day * (part + 1) // parts - per_day * part // parts
            from_ms = begin_ms + day * DAY_MS + DAY_MS * part // parts
            at_ms = np.sort(from_ms + rng.integers(0, DAY_MS // parts, n))
            yield _generate_pages(first, at_ms, history, rng)
            first += n


def _generate_pages(
    first: int, at_ms: NDArray[np.int64], history: History, rng: np.random.Generator
) -> _Pages:
    n = len(at_ms)
    sizes = np.where(rng.random(n) < WHOLE_SHARE, CANDIDATES, PAGE)
    rows = int(sizes.sum())
    signals = {name: rng.random(rows, np.float32) for name in list_signals(FEATURE_NAMES)}
    start = rng.integers(0, history.catalogue.size, n)
    offsets = np.arange(rows) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    items = (np.repeat(start, sizes) + offsets * 7919) % history.catalogue.size
    liking = sum(signals[name] for name in PREDICTIVE) / len(PREDICTIVE)
    plays = (rng.random(rows) < PLAY_SHARE * SCALE * liking**3) & (offsets < PAGE)
    viewers = (history.viewers * rng.random(n) ** 2).astype(np.int64)
    return _Pages(first, at_ms, viewers, sizes, items, signals, plays)


def _build_tables(pages: _Pages, ids: NDArray[np.str_], user_keys: pa.Array) -> tuple[pa.Table, pa.Table]:
    request = pa.array(np.repeat(np.arange(len(pages.sizes)), pages.sizes))
    at_ms = pa.array(pages.at_ms)
    requests = {
        "request_id": pages.request_ids,
        "at_ms": at_ms,
        "user_key": user_keys.take(pa.array(pages.viewers)),
        "surface": pa.array(["home"] * len(pages.sizes)),
    }
    signals = list_signals(FEATURE_NAMES)
    schema = build_candidate_schema(SOURCES, signals)
    positions = pages.positions
    columns = {name_signal_column(name): pa.array(values) for name, values in pages.signals.items()}
    columns |= {f"rank_{source}": pa.array(positions) for source in SOURCES}
    columns |= {
        "request_id": pages.request_ids.take(request),
        "item": pa.array(ids).take(pa.array(pages.items)),
        "position": pa.array(positions),
        "shown": pa.array(positions < PAGE),
        "is_whole_group": pa.array(np.repeat(pages.sizes > PAGE, pages.sizes)),
        "at_ms": at_ms.take(request),
    }
    known = [name for name in (*schema.names, "at_ms") if name in columns]
    table = pa.table({name: columns[name] for name in known})
    return pa.table({n: c for n, c in requests.items() if n in REQUEST_SCHEMA.names}), table


def _store_events(store: EmbeddedEvents, pages: _Pages, ids: NDArray[np.str_], users: list[str]) -> int:
    """Stores an impression for each shown item, and a watch for each play. SQL alone: objects take longer."""
    defaults = [None if field.is_nullable else "" for field in EVENT_FIELDS]
    place = {field.name: n for n, field in enumerate(EVENT_FIELDS)}
    defaults[place["simulated"]] = 1  # type: ignore[call-overload]
    positions, request = pages.positions, np.repeat(np.arange(len(pages.sizes)), pages.sizes)
    shown = np.flatnonzero(positions < PAGE)
    watched = np.random.default_rng(pages.first).integers(0, DURATION_MS, len(positions)).tolist()
    names, at_ms = pages.request_ids.to_pylist(), pages.at_ms.tolist()

    def build_row(row: int, kind: str) -> tuple[object, ...]:
        values: list[object] = list(defaults)
        number, position = int(request[row]), int(positions[row])
        delay = MINUTE_MS if kind == "watch" else 0
        stated = {
            "id": f"{names[number]}:{position}:{kind[0]}", "kind": kind, "item": str(ids[pages.items[row]]),
            "user": users[int(pages.viewers[number])], "at_ms": at_ms[number] + delay,
            "request_id": names[number], "position": position, "received_ms": at_ms[number] + delay,
        }  # fmt: skip
        if kind == "watch":
            stated |= {"watched_ms": watched[row], "duration_ms": DURATION_MS, "started_ms": at_ms[number]}
        for name, value in stated.items():
            values[place[name]] = value
        return tuple(values)

    plays = np.flatnonzero(pages.plays)
    with store.database.transaction() as connection:
        connection.executemany(INSERT, (build_row(row, "impression") for row in shown.tolist()))
        connection.executemany(INSERT, (build_row(row, "watch") for row in plays.tolist()))
    return len(shown) + len(plays)


def write_one_viewer(catalogue: Catalogue, container: Container, others: int = 200) -> None:
    """Loads the items, a viewer who watched all of them within a year, and others who watched forty each."""
    load_catalogue(
        (item for batch in catalogue.generate_items() for item in batch), container.engine,
        container.encoder, LoadOptions(created_at=datetime.now(UTC)),
    )  # fmt: skip
    rng, end_ms = np.random.default_rng(0), round(datetime.now(UTC).timestamp() * 1000) - DAY_MS
    for viewer in range(others + 1):
        n = catalogue.size if viewer == 0 else min(40, catalogue.size)
        chosen = rng.permutation(catalogue.size)[:n].tolist()
        days = rng.integers(0, 365 * DAY_MS, n).tolist()
        container.events.append(
            [
                Event(
                    f"{viewer}-{k}", "watch", f"viewer-{viewer}", end_ms - days[k], catalogue.id_of(number),
                    DURATION_MS, DURATION_MS, simulated=True,
                )
                for k, number in enumerate(chosen)
            ]
        )  # fmt: skip


def choose_end(now: datetime) -> datetime:
    """Returns the end of a history that a training run at `now` sees whole."""
    return now.astimezone(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
