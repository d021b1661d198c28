"""Checks the lake: files that are damaged, missing, unknown or left by killed writers."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from reelrank.index_mappings.decision import COLUMNS_BY_TABLE, LAKE_VERSION, REQUESTS
from reelrank.loaders.lake.compaction import group_by_date
from reelrank.loaders.lake.manifest import (
    MANIFEST,
    POSITION,
    DateManifest,
    EventPosition,
    read_manifest,
    read_position,
    select_committed,
)
from reelrank.loaders.lake.storage import LakeStorage, StoredFile
from reelrank.ranking.progress import Progress

Severity = Literal["problem", "note"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What the check found. problem: rows cannot be read. note: nothing is lost. path: below the lake."""

    severity: Severity
    path: str
    message: str


@dataclass(frozen=True, slots=True)
class TableSummary:
    """One table of the lake: the files that count, their rows and bytes, the first and last date."""

    table: str
    dates: int
    files: int
    rows: int
    bytes: int
    first: date | None
    last: date | None


@dataclass(frozen=True, slots=True)
class LakeReport:
    tables: tuple[TableSummary, ...]
    findings: tuple[Finding, ...]

    @property
    def problems(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity == "problem")


def check_lake(storage: LakeStorage, progress: Progress) -> LakeReport:
    """Reads the footer of every file that counts.

    Raises BadRequest for a manifest that cannot be read, Conflict while another process compacts.
    """
    with storage.lock("compact"):
        return _check_files(storage, progress)


def _check_files(storage: LakeStorage, progress: Progress) -> LakeReport:
    files, position = storage.list_files(), read_position(storage)
    groups, findings = group_by_date(files), list[Finding]()
    found: dict[str, list[tuple[date, StoredFile, int]]] = {table: [] for table in COLUMNS_BY_TABLE}
    for index, ((table, day), group) in enumerate(groups.items()):
        progress("check", index, len(groups))
        manifest = read_manifest(storage, table, day)
        committed = select_committed(group, manifest, position)
        findings += _compare(group, committed, manifest, f"{table}/date={day.isoformat()}")
        for file in committed:
            rows, problems = _read_footer(storage, file, table, manifest)
            findings += problems
            found[table].append((day, file, rows))
    progress("check", len(groups), len(groups))
    findings += _find_unknown_files(files, groups, position)
    return LakeReport(tuple(_summarize(table, rows) for table, rows in found.items()), tuple(findings))


def _compare(
    files: list[StoredFile], committed: list[StoredFile], manifest: DateManifest, folder: str
) -> Iterator[Finding]:
    counted = {file.path for file in committed}
    for name in manifest.files.keys() - {file.name for file in committed}:
        yield Finding(
            "problem", f"{folder}/hour=00/{name}", "the manifest names it but it is gone; restore a backup"
        )
    if left := [file for file in files if file.path not in counted]:
        text = f"{len(left)} files that nothing reads; `reelrank lake compact` or `export` will remove them"
        yield Finding("note", folder, text)


def _read_footer(
    storage: LakeStorage, file: StoredFile, table: str, manifest: DateManifest
) -> tuple[int, list[Finding]]:
    """Returns the rows of a file, and what is wrong with it."""
    try:
        with storage.open_file(file.path) as handle:
            parquet = pq.ParquetFile(handle)
            rows, schema = parquet.metadata.num_rows, parquet.schema_arrow
            metadata = parquet.metadata.metadata or {}
    except (pa.ArrowException, ValueError, OSError) as error:
        return 0, [Finding("problem", file.path, f"it cannot be read ({error}); restore a backup")]
    problems = list[str]()
    if metadata.get(b"schema_version") != str(LAKE_VERSION).encode():
        problems.append("it states no schema version of this build")
    needed = [column.name for column in COLUMNS_BY_TABLE[table] if not column.nullable]
    if missing := [name for name in needed if name not in schema.names]:
        problems.append(f"it lacks the columns {', '.join(missing)}, which are read as empty")
    if manifest.files.get(file.name, rows) != rows:
        problems.append(f"it has {rows} rows, the manifest says {manifest.files[file.name]}")
    return rows, [Finding("problem", file.path, problem) for problem in problems]


def _find_unknown_files(
    files: list[StoredFile],
    groups: dict[tuple[str, date], list[StoredFile]],
    position: EventPosition,
) -> Iterator[Finding]:
    known = {file.path for group in groups.values() for file in group}
    for file in files:
        if file.path not in known and file.name not in (MANIFEST, POSITION):
            yield Finding("note", file.path, "it is not a file of the lake; nothing reads it")
    if position.position is None and any(table == REQUESTS for table, _ in groups):
        yield Finding("note", "events", "no event is exported yet; run: reelrank lake export")


def _summarize(table: str, rows: list[tuple[date, StoredFile, int]]) -> TableSummary:
    days = sorted({day for day, _, _ in rows})
    return TableSummary(
        table,
        len(days),
        len(rows),
        sum(count for _, _, count in rows),
        sum(file.size for _, file, _ in rows),
        days[0] if days else None,
        days[-1] if days else None,
    )
