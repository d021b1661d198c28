"""`python -m benchmarks lake`: how many bytes the lake needs, by impression, whole group and event.

Pages of generated (or, with --demo, real) items are served to viewers over one day and recorded as the
service records them; events are exported, and the day is compacted. What viewers do is made up: a click on
some items, a watch of most of these.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from benchmarks.markdown import format_table
from benchmarks.request.project import SampleProject, build_project, open_demo_project
from reelrank.app.clock import to_ms
from reelrank.app.jobs.lake import compact_lake, export_lake
from reelrank.app.search.page import Page, RankingOptions
from reelrank.app.search.service import SearchService
from reelrank.app.search.trial.warm_up import warm_up
from reelrank.app.wiring import build_lake_storage, build_service
from reelrank.index_mappings.decision import CANDIDATES, EVENTS, REQUESTS, TABLES
from reelrank.index_mappings.event import Event
from reelrank.index_mappings.query import Context
from reelrank.loaders.lake.check import LakeReport, check_lake
from reelrank.ranking.progress import ignore_progress

MAX_BYTES = 150.0
"""The limit of the project for an impression: its request and its candidate, without whole groups."""
MAX_FILES_PER_BYTES = 128 * 2**20
CLICK_SHARE, WATCH_SHARE = 0.05, 0.7
"""Of impressions that are clicked, and of clicks that become a watch. Made up; they decide no limit."""
DURATION_MS = 5_400_000
PAUSE_EVERY = 200
HEAD = ("lake", "rows", "files", "bytes", "bytes a row", "bytes an impression")


@dataclass(frozen=True, slots=True)
class Sizes:
    """report: of the compacted lake. pages, impressions: that were served. seconds: of compaction (CPU)."""

    report: LakeReport
    pages: int
    impressions: int
    seconds: float

    def get_bytes(self, *tables: str) -> int:
        return sum(summary.bytes for summary in self.report.tables if summary.table in tables)


def main(arguments: Sequence[str]) -> int:
    """Returns 1 if an impression needs more than MAX_BYTES or a day has too many files, else 0."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks lake", description=__doc__)
    parser.add_argument("--pages", type=int, help="pages to serve")
    parser.add_argument("--small", action="store_true", help="few pages of a small catalogue")
    parser.add_argument("--demo", type=Path, help="copy of a data directory of the demo; it gets events")
    options = parser.parse_args(arguments)
    pages = options.pages or (1_000 if options.small else 10_000)
    with tempfile.TemporaryDirectory() as folder:
        directory = options.demo or Path(folder, "project")
        project = (
            open_demo_project(directory)
            if options.demo
            else build_project(directory, 2_000 if options.small else 50_000)
        )
        shown = _measure(project, Path(folder, "shown"), pages, 0.0)
        groups = _measure(project, Path(folder, "groups"), max(pages // 20, 50), 1.0)
    print(format_table(HEAD, [*_format_rows(shown), *_format_groups(groups)]), flush=True)
    per_impression = shown.get_bytes(REQUESTS, CANDIDATES) / shown.impressions
    print(
        f"{shown.pages:,} pages, {shown.impressions:,} impressions; compaction: {shown.seconds:.1f} s of CPU"
    )
    return int(per_impression > MAX_BYTES or not _has_few_files(shown))


def _measure(project: SampleProject, lake: Path, pages: int, share: float) -> Sizes:
    """Serves pages into a lake of its own and compacts it."""
    settings = project.container.settings.model_copy(update={"lake_url": str(lake), "log_share": share})
    container = replace(project.container, settings=settings)
    service = build_service(container)
    warm_up(service)
    service.recorder.start()
    impressions = _serve(service, project, pages)
    service.recorder.close()
    export_lake(container, ignore_progress)
    began = time.process_time()
    compact_lake(container, ignore_progress)
    seconds = time.process_time() - began
    return Sizes(check_lake(build_lake_storage(settings), ignore_progress), pages, impressions, seconds)


def _serve(service: SearchService, project: SampleProject, pages: int) -> int:
    """Serves home pages and searches over the day before yesterday; returns the number of impressions."""
    rng, impressions = np.random.default_rng(0), 0
    day = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=2)
    queries = project.build_queries(pages)
    for number in range(pages):
        at = day + timedelta(seconds=86_400 * number / pages)
        kind = "home" if rng.random() < 0.7 else "search"
        viewer = project.viewers[int(rng.integers(len(project.viewers)))]
        device = ("phone", "tv", "desktop")[int(rng.integers(3))]
        query = replace(queries[kind][number], user=viewer, context=Context(at, "US", device))
        page = service.serve_page(RankingOptions(query))
        impressions += len(page.hits)
        if events := _act(page, viewer, at, rng):
            service.events.append(events)
        if number % PAUSE_EVERY == PAUSE_EVERY - 1:
            time.sleep(0.6)  # the queue of the recorder is bounded; a request never waits for it
    return impressions


def _act(page: Page, viewer: str, at: datetime, rng: np.random.Generator) -> list[Event]:
    """Makes up what the viewer does on a page."""
    events = list[Event]()
    for hit in page.hits:
        if rng.random() >= CLICK_SHARE:
            continue
        at_ms, name = to_ms(at) + int(rng.integers(60_000)), f"{page.request_id}-{hit.position}"
        click = Event(
            f"{name}-click", "click", viewer, at_ms, hit.item.id, request_id=page.request_id,
            position=hit.position, received_ms=at_ms,
        )  # fmt: skip
        events.append(click)
        if rng.random() < WATCH_SHARE:
            watched_ms = int(rng.integers(DURATION_MS))
            events.append(
                replace(
                    click, id=f"{name}-watch", kind="watch", at_ms=at_ms + watched_ms,
                    received_ms=at_ms + watched_ms, watched_ms=watched_ms, duration_ms=DURATION_MS,
                )
            )  # fmt: skip
    return events


def _format_rows(sizes: Sizes) -> list[tuple[str, ...]]:
    rows = [
        (f"`{t.table}`", f"{t.rows:,}", str(t.files), f"{t.bytes:,}", f"{t.bytes / max(t.rows, 1):.0f}",
         f"{t.bytes / sizes.impressions:.1f}")
        for t in sizes.report.tables
    ]  # fmt: skip
    decisions = sizes.get_bytes(REQUESTS, CANDIDATES)
    total = (
        "`requests` and `candidates`",
        "",
        "",
        f"{decisions:,}",
        "",
        f"**{decisions / sizes.impressions:.1f}**",
    )
    return [*rows, total]


def _format_groups(sizes: Sizes) -> list[tuple[str, ...]]:
    groups = next(table for table in sizes.report.tables if table.table == CANDIDATES)
    per_group = f"{groups.bytes / sizes.pages:,.0f} a group"
    name = "`candidates`, whole groups alone"
    return [
        (
            name,
            f"{groups.rows:,}",
            str(groups.files),
            f"{groups.bytes:,}",
            f"{groups.bytes / groups.rows:.0f}",
            per_group,
        )
    ]


def _has_few_files(sizes: Sizes) -> bool:
    return all(
        table.files <= table.dates * max(1, -(-table.bytes // MAX_FILES_PER_BYTES))
        for table in sizes.report.tables
        if table.table in TABLES and table.table != EVENTS
    )
