"""Reads logged pages with what viewers did, to measure them as they were served."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc
import structlog

from reelrank.app.clock import to_ms
from reelrank.app.jobs.lake import export_lake
from reelrank.app.wiring import Container, build_lake_storage
from reelrank.index_mappings.decision import EVENTS, LAKE_EVENT_SCHEMA
from reelrank.index_mappings.errors import NotFound
from reelrank.loaders.lake.reader import Lake
from reelrank.loaders.logged.pages import ReadOptions, read_logged_pages
from reelrank.ranking.evaluation.served.measure import ServedQuality, measure_served
from reelrank.ranking.evaluation.served.reliability import append_logged
from reelrank.ranking.evaluation.served.wanted import ServedPages
from reelrank.ranking.progress import Progress

log = structlog.get_logger("reelrank.learning")

WATCH_COLUMNS = ("user_key", "at_ms", "item", "watched_ms", "duration_ms", "kind")
LOGGED_COLUMNS = ("propensity", "probability")
EARLIEST = datetime(1970, 1, 2, tzinfo=UTC)
ONE_DAY = timedelta(days=1)


def measure_logged_pages(container: Container, days: float, progress: Progress) -> list[ServedQuality]:
    """Measures the pages of the last days as they were served. Raises NotFound when the lake has none."""
    return measure_served(read_served_pages(container, days, progress))


def read_served_pages(container: Container, days: float, progress: Progress) -> ServedPages:
    """Exports new events, then reads the pages of the last days. Raises NotFound when the lake has none."""
    export_lake(container, progress)
    return read_exported_pages(container, days, progress)


def read_exported_pages(container: Container, days: float, progress: Progress) -> ServedPages:
    """Reads the pages of the last days. Raises NotFound when the lake has none."""
    lake, now = Lake(build_lake_storage(container.settings)), container.clock.now()
    span = now - timedelta(days=days), now
    requests, outcomes = list[pa.Table](), list[pa.Table]()
    for asked, followed in _read_parts(lake, span, progress):
        requests.append(asked)
        outcomes.append(followed)
    if not requests:
        raise NotFound(
            f"the lake has no page of the last {days:g} days; `reelrank serve` writes pages, and "
            "`reelrank lake export` what viewers did",
            code="no_logged_pages",
        )
    asked = pa.concat_tables(requests)
    watches, simulated = read_watches(lake, asked["user_key"], now), find_simulated_viewers(lake, span)
    return ServedPages(asked, pa.concat_tables(outcomes), watches, simulated)


def read_watches(lake: Lake, users: pa.ChunkedArray, to: datetime) -> pa.Table:
    """Returns all watches of these viewers before a time."""
    known = pc.unique(users)
    schema = pa.schema([LAKE_EVENT_SCHEMA.field(name) for name in WATCH_COLUMNS])
    batches = (
        batch.filter(pc.and_(pc.equal(batch["kind"], "watch"), pc.is_in(batch["user_key"], known)))
        for batch in lake.scan(EVENTS, EARLIEST, to, WATCH_COLUMNS)
    )
    return pa.Table.from_batches(batches, schema)


def find_simulated_viewers(lake: Lake, span: tuple[datetime, datetime]) -> frozenset[str]:
    """Returns the keys of viewers with a simulated event in the span or on the day after it."""
    found = set[str]()
    for batch in lake.scan(EVENTS, span[0], span[1] + ONE_DAY, ("user_key", "simulated")):
        found.update(pc.unique(batch["user_key"].filter(batch["simulated"])).to_pylist())
    return frozenset(found)


def _read_parts(
    lake: Lake, span: tuple[datetime, datetime], progress: Progress
) -> Iterator[tuple[pa.Table, pa.Table]]:
    """Yields requests and the outcomes of what they showed, and tells the days that were read."""
    days = max((span[1] - span[0]).days + 1, 1)
    options = ReadOptions(
        to_ms(span[1] + ONE_DAY),
        LOGGED_COLUMNS,
        on_skipped=lambda reason: log.warning("logged pages are left out", reason=reason),
    )
    for pages in read_logged_pages(lake, *span, options):
        at = pages.requests["at_ms"]
        if len(at):
            read = datetime.fromtimestamp(pc.max(at).as_py() / 1000, UTC) - span[0]
            progress("reading logged pages", min(read.days + 1, days), days)
        yield pages.requests, append_logged(pages.outcomes, pages.candidates, LOGGED_COLUMNS)
    progress("reading logged pages", days, days)
