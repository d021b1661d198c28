"""Rows and stores that the tests of the lake share."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from reelrank.app.engines.embedded.store.events import EmbeddedEvents
from reelrank.index_mappings.decision import CANDIDATES, REQUESTS, build_candidate_schema
from reelrank.index_mappings.event import Event
from reelrank.loaders.lake.compaction import CompactionOptions, CompactionReport, compact
from reelrank.loaders.lake.exporter import ExportReport, export_events
from reelrank.loaders.lake.reader import Lake
from reelrank.loaders.lake.storage import LakeStorage
from reelrank.loaders.lake.user_keys import UserKeys
from reelrank.loaders.lake.writer import LakeWriter
from reelrank.ranking.progress import ignore_progress

DAY = date(2026, 3, 4)
MORNING = datetime(2026, 3, 4, 9, 30, tzinfo=UTC)
NEXT_DAY = MORNING + timedelta(days=1)
BEGIN, END = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
SCHEMA = build_candidate_schema(("bm25",), ("rank_bm25", "year"))


def to_ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def build_decisions(
    request_ids: Sequence[str], at: datetime = MORNING, items: int = 3, shown: int = 2
) -> tuple[pa.Table, pa.Table]:
    """Rows of whole groups: the first items of each request were shown."""
    at_ms = to_ms(at)
    requests = [{"request_id": request, "at_ms": at_ms, "surface": "home"} for request in request_ids]
    candidates = [
        {"request_id": request, "item": f"i{position}", "position": position, "at_ms": at_ms,
         "shown": position < shown, "is_whole_group": True, "rank_bm25": position, "signal_year": 1999.0}
        for request in request_ids
        for position in range(items)
    ]  # fmt: skip
    requests_schema = pa.schema(
        [("request_id", pa.string()), ("at_ms", pa.int64()), ("surface", pa.string())]
    )
    return (
        pa.Table.from_pylist(requests, requests_schema),
        pa.Table.from_pylist(candidates, SCHEMA.append(pa.field("at_ms", pa.int64()))),
    )


def write_decisions(
    storage: LakeStorage, request_ids: Sequence[str], at: datetime = MORNING, now: datetime = MORNING
) -> None:
    requests, candidates = build_decisions(request_ids, at)
    LakeWriter(storage).write_decisions(requests, candidates, now.date())


def build_event(event_id: str, at: datetime = MORNING, user: str = "ada", **fields: Any) -> Event:
    return Event(event_id, "click", user, to_ms(at), "i1", **fields)


def export(
    storage: LakeStorage, events: EmbeddedEvents, directory: Path, now: datetime = NEXT_DAY
) -> ExportReport:
    return export_events(storage, events, UserKeys(directory / "lake.key"), lambda: now, ignore_progress)


def run_compaction(storage: LakeStorage, now: datetime = NEXT_DAY, **options: Any) -> CompactionReport:
    return compact(storage, CompactionOptions(now, **options), ignore_progress)


def read_rows(
    storage: LakeStorage, table: str, begin: datetime = BEGIN, end: datetime = END, **options: Any
) -> list[dict[str, Any]]:
    return [row for batch in Lake(storage).scan(table, begin, end, **options) for row in batch.to_pylist()]


def read_request_ids(storage: LakeStorage) -> list[str]:
    """The ids of all requests; each must have its candidates."""
    ids = [row["request_id"] for row in read_rows(storage, REQUESTS)]
    with_candidates = {row["request_id"] for row in read_rows(storage, CANDIDATES)}
    assert set(ids) <= with_candidates
    return ids
