"""Jobs of the lake: export events, compact and remove expired dates, check, and find one decision."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from reelrank.app.wiring import Container, build_lake_storage, build_user_keys
from reelrank.index_mappings.decision import CANDIDATES, REQUESTS
from reelrank.loaders.lake.check import LakeReport, check_lake
from reelrank.loaders.lake.compaction import CompactionOptions, CompactionReport, compact
from reelrank.loaders.lake.exporter import ExportReport, export_events
from reelrank.loaders.lake.reader import Lake
from reelrank.loaders.lake.retention import remove_expired
from reelrank.ranking.progress import Progress


@dataclass(frozen=True, slots=True)
class CompactionOutcome:
    """compaction: of closed dates. expired: tables and dates that were removed."""

    compaction: CompactionReport
    expired: list[tuple[str, date]]


def export_lake(container: Container, progress: Progress) -> ExportReport:
    """Copies new events into the lake. Raises Unavailable, or Conflict while another export runs."""
    settings = container.settings
    storage, keys = build_lake_storage(settings), build_user_keys(settings)
    return export_events(storage, container.events, keys, container.clock.now, progress)


def compact_lake(container: Container, progress: Progress, is_dry_run: bool = False) -> CompactionOutcome:
    """Removes expired dates and compacts closed ones. Raises Conflict while another compaction runs."""
    settings, now = container.settings, container.clock.now()
    storage, expired = build_lake_storage(settings), list[tuple[str, date]]()
    if settings.lake_keep_days is not None:
        expired = remove_expired(storage, settings.lake_keep_days, now, is_dry_run)
    options = CompactionOptions(now, is_dry_run=is_dry_run)
    return CompactionOutcome(compact(storage, options, progress), expired)


def check_whole_lake(container: Container, progress: Progress) -> LakeReport:
    """Checks every file. Raises Conflict while a compaction runs."""
    return check_lake(build_lake_storage(container.settings), progress)


def list_file_urls(container: Container, table: str, begin: datetime, end: datetime) -> list[str]:
    """Returns the addresses of the files that count, for other tools. Raises BadRequest."""
    return Lake(build_lake_storage(container.settings)).list_urls(table, begin, end)


def find_decision(
    container: Container, request_id: str, begin: datetime, end: datetime
) -> dict[str, Any] | None:
    """Returns the row of a request and those of its candidates; None when the lake does not have it."""
    lake = Lake(build_lake_storage(container.settings))
    for partition in lake.list_partitions(REQUESTS, begin, end):
        for batch in lake.read(partition, None, partition.begin, partition.end):
            if rows := _select_request(batch, request_id):
                candidates = [
                    row
                    for part in lake.list_partitions(CANDIDATES, partition.begin, partition.end)
                    for found in lake.read(part, None, part.begin, part.end)
                    for row in _select_request(found, request_id)
                ]
                return {"request": rows[0], "candidates": candidates}
    return None


def _select_request(batch: pa.RecordBatch, request_id: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = batch.filter(pc.equal(batch["request_id"], request_id)).to_pylist()
    return rows
