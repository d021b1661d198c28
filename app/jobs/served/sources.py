"""Counts what each candidate source contributed to the pages of the last hours, for the operator pages."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pyarrow as pa
import structlog

from reelrank.app.clock import to_ms
from reelrank.app.wiring import Container, build_lake_storage
from reelrank.index_mappings.decision import RANK_PREFIX
from reelrank.index_mappings.event import DAY_MS
from reelrank.loaders.lake.reader import Lake
from reelrank.loaders.logged.pages import ReadOptions, read_logged_pages
from reelrank.ranking.evaluation.served.sources import (
    SourceShare,
    SourceShares,
    count_sources,
    write_sources,
)
from reelrank.ranking.retrieval.source_names import SOURCES

log = structlog.get_logger("reelrank.loop")
HOURS = 24.0


def renew_sources(container: Container, hours: float = HOURS) -> SourceShares:
    """Counts the exported pages of the last hours. Pages of a build with other sources are left out."""
    now = container.clock.now()
    totals = count_sources(_read_parts(container, now, hours), SOURCES)
    rows = totals.tolist()
    counted = (SourceShare(name, *row) for name, row in zip(SOURCES, rows, strict=False))
    shares = SourceShares(
        now, hours, rows[-1][0], rows[-1][2], tuple(sorted(counted, key=lambda one: -one.seen))
    )
    write_sources(container.settings.reports_dir, shares)
    return shares


def _read_parts(container: Container, now: datetime, hours: float) -> Iterator[tuple[pa.Table, pa.Table]]:
    lake = Lake(build_lake_storage(container.settings))
    columns = tuple(f"{RANK_PREFIX}{source}" for source in SOURCES)
    options = ReadOptions(
        to_ms(now) + DAY_MS,
        columns,
        on_skipped=lambda reason: log.warning("sources of pages are not counted", reason=reason),
    )
    for pages in read_logged_pages(lake, now - timedelta(hours=hours), now, options):
        yield pages.candidates, pages.outcomes
