"""Removes a viewer from the lake: every date that has rows of theirs is written anew and committed at once.

Candidates have no viewer: those of the viewer's requests are removed, and before the requests, so that a run
that was killed finds them again.
"""

from collections import Counter
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from reelrank.index_mappings.decision import CANDIDATES, EVENTS, REQUESTS
from reelrank.loaders.lake.compaction import DateCompaction, group_by_date
from reelrank.loaders.lake.manifest import read_manifest, read_position, select_committed
from reelrank.loaders.lake.merge import open_files
from reelrank.loaders.lake.reader import Lake
from reelrank.loaders.lake.storage import LakeStorage, StoredFile

USER_KEY, REQUEST_ID = "user_key", "request_id"
TEMPORARY_AGE_S = 60.0
"""A writer that is alive finishes a file sooner; one that does not writes it again."""
FIRST, LAST = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)


@dataclass(slots=True)
class LakeErasure:
    """rows: removed ones by table. dates: how many were written anew. request_ids: of the viewer."""

    rows: Counter[str] = field(default_factory=Counter)
    dates: int = 0
    request_ids: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Selection:
    """Rows to remove: those whose `column` has one of these values."""

    column: str
    values: Set[str]

    def find(self, batch: pa.RecordBatch | pa.Table) -> pa.Array:
        return pc.is_in(batch[self.column], pa.array(sorted(self.values), pa.string()))

    def keep(self, rows: pa.Table) -> pa.Table:
        return rows.filter(pc.invert(self.find(rows)))


def erase_from_lake(storage: LakeStorage, user_key: str, now: datetime) -> LakeErasure:
    """Removes the rows of a viewer from all tables and dates, and temporaries of killed writers.

    On an object store, a reader that listed a replaced file lists again. Raises Conflict while another
    process exports or compacts, and Unavailable.
    """
    report = LakeErasure()
    with storage.lock("export"), storage.lock("compact"):
        report.request_ids = {
            value
            for _, files in _list_dates(storage, REQUESTS)
            for value in _read_requests(storage, files, user_key)
        }
        by_request = _Selection(REQUEST_ID, report.request_ids)
        by_viewer = _Selection(USER_KEY, {user_key})
        storage.remove_leftovers(now.timestamp(), TEMPORARY_AGE_S)
        for table, selection in ((CANDIDATES, by_request), (EVENTS, by_viewer), (REQUESTS, by_viewer)):
            for day, files in _list_dates(storage, table):
                _erase_date(storage, (table, day, files), selection, now, report)
    return report


def find_in_lake(storage: LakeStorage, user_key: str) -> dict[str, list[dict[str, Any]]]:
    """Returns the requests and events of a viewer, and the candidates of these requests, to export them."""
    found: dict[str, list[dict[str, Any]]] = {}
    selection = _Selection(USER_KEY, {user_key})
    for table in (REQUESTS, EVENTS, CANDIDATES):
        if table == CANDIDATES:
            selection = _Selection(REQUEST_ID, {row[REQUEST_ID] for row in found[REQUESTS]})
        batches = Lake(storage).scan(table, FIRST, LAST)
        found[table] = [row for batch in batches for row in batch.filter(selection.find(batch)).to_pylist()]
    return found


def _erase_date(
    storage: LakeStorage,
    part: tuple[str, date, list[StoredFile]],
    selection: _Selection,
    now: datetime,
    report: LakeErasure,
) -> None:
    """Rewrites one date if one of its files, also one that does not count, has selected rows."""
    table, day, files = part
    manifest, position = read_manifest(storage, table, day), read_position(storage)
    committed = {file.path for file in select_committed(files, manifest, position)}
    counts = {file.path: _count_rows(storage, file, table, selection) for file in files}
    if not any(counts.values()):
        return
    DateCompaction(storage, table, day, manifest, position).rewrite(files, selection.keep, now)
    report.rows[table] += sum(count for path, count in counts.items() if path in committed)
    report.dates += 1


def _list_dates(storage: LakeStorage, table: str) -> list[tuple[date, list[StoredFile]]]:
    groups = group_by_date(storage.list_files(table))
    return [(day, files) for (name, day), files in groups.items() if name == table and files]


def _read_requests(storage: LakeStorage, files: Sequence[StoredFile], user_key: str) -> Iterator[str]:
    """Yields the requests of a viewer, also from files that do not count (any more)."""
    selection = _Selection(USER_KEY, {user_key})
    with open_files(storage, files, REQUESTS) as opened:
        for batch in opened.chain((REQUEST_ID, USER_KEY)):
            yield from batch.filter(selection.find(batch))[REQUEST_ID].to_pylist()


def _count_rows(storage: LakeStorage, file: StoredFile, table: str, selection: _Selection) -> int:
    with open_files(storage, [file], table) as opened:
        batches = opened.chain((selection.column,))
        return sum(int(pc.sum(selection.find(batch)).as_py() or 0) for batch in batches)
