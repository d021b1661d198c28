"""Measures rates of one core: pages of the project at hand, and learning from made-up pages."""

import sqlite3
import tempfile
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median
from urllib.parse import urlencode

import numpy as np
import orjson
from flask.testing import FlaskClient
from threadpoolctl import threadpool_limits

from reelrank.app.capacity.assumptions import Assumptions, Rate
from reelrank.app.capacity.made_up_pages import (
    DAY,
    PageSizes,
    make_up_candidates,
    make_up_events,
    make_up_requests,
)
from reelrank.app.clock import SYSTEM_CLOCK, to_ms
from reelrank.app.search.ports import DefaultAssigner, NoRecorder
from reelrank.app.search.service import SearchService
from reelrank.app.settings import Settings
from reelrank.app.web.application import WebOptions, create_app
from reelrank.app.wiring import Container, build_container, warm_service
from reelrank.index_mappings.decision import EVENTS, name_signal_column
from reelrank.index_mappings.event import Event
from reelrank.loaders.lake.manifest import read_position, write_position
from reelrank.loaders.lake.reader import Lake
from reelrank.loaders.lake.storage import LakeStorage
from reelrank.loaders.lake.writer import LakeWriter
from reelrank.loaders.logged.date_build import RowOptions
from reelrank.loaders.logged.pages import ReadOptions
from reelrank.loaders.logged.row_cache import RowCache
from reelrank.loaders.logged.rows import RowReader, name_config
from reelrank.ranking.features.compute import FEATURE_NAMES
from reelrank.ranking.labels.grades import Grader, grade_shown_items
from reelrank.ranking.policies.config import CandidateLimits, RankingConfig
from reelrank.ranking.progress import Progress
from reelrank.ranking.training.dataset import GROUP_SIZE
from reelrank.ranking.training.logged import grade_logged_rows
from reelrank.ranking.training.logged_rows import list_signals

PAGES, WARM_UP_PAGES = 40, 5
"""Home pages for each number of candidates; their median is taken."""
MADE_UP_PAGES = 500
STORED_EVENTS = 20_000
CACHE_BYTES = 10**9
HEADER_BYTES = 600
"""Of an answer's status line and headers, which the test client does not send. A round figure."""
DEADLINE_MS = 60_000
HOME_SOURCES = ("factors", "neighbours", "session", "recent", "popular", "fresh")


def measure_rates(settings: Settings, given: Assumptions, progress: Progress) -> dict[str, Rate]:
    """Measures what can be measured here, in about half a minute of CPU; nothing is recorded.

    Raises Unavailable when no index version serves.
    """
    source = f"reelrank capacity --measure, {SYSTEM_CLOCK.now():%Y-%m-%d}, this machine"
    container = build_container(settings.model_copy(update={"deadline_ms": DEADLINE_MS}))
    with threadpool_limits(1):  # one core, as in a worker; waiting threads of OpenMP would count as work
        progress("measuring rates", 0, 3)
        pages = _measure_pages(container, given)
        progress("measuring rates", 1, 3)
        learning_s = measure_learning(PageSizes(MADE_UP_PAGES))
        progress("measuring rates", 2, 3)
        rates = {**pages, "learning_s": learning_s, "store_event_bytes": measure_stored_event()}
        progress("measuring rates", 3, 3)
    return {name: Rate(value, source) for name, value in rates.items()}


def measure_learning(sizes: PageSizes) -> float:
    """Returns CPU seconds to read, attribute, label and build a million impressions of a made-up hour."""
    with tempfile.TemporaryDirectory(prefix="reelrank-capacity-") as folder:
        lake = Lake(LakeStorage(str(Path(folder, "lake"))))
        write_made_up_pages(LakeWriter(lake.storage), sizes)
        begin = datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC)
        end = begin + timedelta(days=1)
        columns = tuple(name_signal_column(name) for name in list_signals(FEATURE_NAMES))
        reading = ReadOptions(to_ms(end + timedelta(days=1)), columns)
        options = RowOptions(FEATURE_NAMES, GROUP_SIZE, reading)
        cache = RowCache(Path(folder, "cache"), name_config(options), CACHE_BYTES)
        grader, began = Grader(), time.process_time()
        for rows in RowReader(lake, cache, options).read(begin, end):
            grade_logged_rows(rows, lambda outcomes: grade_shown_items(outcomes, grader))
        return (time.process_time() - began) / (sizes.pages * sizes.shown) * 1e6


def measure_stored_event() -> float:
    """Returns bytes of one event in the embedded event store."""
    with tempfile.TemporaryDirectory(prefix="reelrank-capacity-") as folder:
        container = build_container(Settings(data_dir=Path(folder), engine="embedded"))
        made = [
            Event(f"{n:032x}", "watch", f"viewer-{n % 500}", 10**12 + n * 1000, f"item-{n % 3000}", 60_000,
                  6_000_000, f"{n // 20:032x}", received_ms=10**12 + n * 1000)
            for n in range(STORED_EVENTS)
        ]  # fmt: skip
        container.events.append(made)
        file = next(Path(folder).rglob("truth.sqlite"))
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return file.stat().st_size / STORED_EVENTS


def write_made_up_pages(writer: LakeWriter, sizes: PageSizes, day: date = DAY) -> None:
    """Writes a made-up hour of a day into a lake."""
    rng = np.random.default_rng(day.toordinal())
    requests = make_up_requests(sizes, day)
    candidates = make_up_candidates(requests, sizes, rng)
    writer.write_decisions(requests, candidates, day)
    writer.write(EVENTS, make_up_events(candidates, rng), day)
    exported = read_position(writer.storage)  # files of events count once their position is committed
    runs = {**exported.runs, writer.name: writer.files}
    write_position(writer.storage, replace(exported, runs=runs))


def _measure_pages(container: Container, given: Assumptions) -> Mapping[str, float]:
    """Measures home pages of the busiest viewers, with few and with many candidates."""
    service = replace(warm_service(container), recorder=NoRecorder())
    viewers = [viewer for viewer, _ in service.refresher.state.activity.list_busiest_viewers(PAGES)] or [
        "new"
    ]
    points = [
        _measure_with(service, container, viewers, candidates, round(given.page_items))
        for candidates in (given.candidates_low, given.candidates_high)
    ]
    (fewer, fewer_s, size), (more, more_s, _) = points
    candidate_s = max(more_s - fewer_s, 0.0) / (more - fewer) if more > fewer else 0.0
    return {
        "request_ms": max(fewer_s - fewer * candidate_s, 0.0) * 1e3,
        "candidate_us": candidate_s * 1e6,
        "response_bytes": size,
    }


def _measure_with(
    service: SearchService, container: Container, viewers: list[str], candidates: float, items: int
) -> tuple[float, float, float]:
    """Returns the medians of candidates found, CPU seconds and bytes of a page."""
    limits = CandidateLimits(**dict.fromkeys(HOME_SOURCES, max(round(candidates / len(HOME_SOURCES)), 10)))
    limited = replace(service, assigner=DefaultAssigner(RankingConfig(limits)))
    options = WebOptions(container.settings.body_bytes_max, container.settings.reports_dir)
    client = create_app(limited, options).test_client()
    measured = [_ask(client, viewers[n % len(viewers)], items) for n in range(WARM_UP_PAGES + PAGES)]
    found, seconds, sizes = zip(*measured[WARM_UP_PAGES:], strict=True)
    return median(found), median(seconds), median(sizes) + HEADER_BYTES


def _ask(client: FlaskClient, viewer: str, items: int) -> tuple[int, float, int]:
    began = time.process_time()
    answer = client.get(f"/v1/recommendations?{urlencode({'user': viewer, 'limit': min(items, 100)})}")
    seconds = time.process_time() - began
    return orjson.loads(answer.data)["candidates"], seconds, len(answer.data)
