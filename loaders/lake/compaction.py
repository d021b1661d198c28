"""Compaction: the files of a closed date become few large ones, sorted, in which each row is there once.

Order of one date: write the new files, commit the manifest that names them, delete the old files. A kill
before the commit leaves files that nobody counts, a kill after it leaves old files that nobody counts; both
are removed by the next compaction.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from reelrank.index_mappings.decision import CANDIDATES, TABLES
from reelrank.loaders.lake.manifest import (
    COMPACTED,
    FILE_PATTERN,
    MANIFEST,
    DateManifest,
    EventPosition,
    Folder,
    find_open_date,
    name_file,
    parse_folder,
    read_manifest,
    read_position,
    select_committed,
    shorten_path,
    write_manifest,
)
from reelrank.loaders.lake.merge import cut_batches, open_files
from reelrank.loaders.lake.parquet_files import ROW_GROUP_ROWS, choose_encoding, open_writer
from reelrank.loaders.lake.storage import LakeStorage, StoredFile
from reelrank.ranking.progress import Progress

MAX_FILE_BYTES = 256 * 2**20
FULL_SHARE = 0.9
"""The last row group and the footer come on top of what the file has when it counts as full."""


@dataclass(frozen=True, slots=True)
class CompactionOptions:
    """now: decides which dates are closed. is_dry_run: only count what would be merged."""

    now: datetime
    max_file_bytes: int = MAX_FILE_BYTES
    is_dry_run: bool = False


@dataclass(slots=True)
class CompactionReport:
    """dates: table and date that were compacted. files_before, bytes_before: of them; after: likewise."""

    dates: list[tuple[str, date]] = field(default_factory=list)
    files_before: int = 0
    files_after: int = 0
    bytes_before: int = 0
    bytes_after: int = 0
    rows: int = 0


def compact(storage: LakeStorage, options: CompactionOptions, progress: Progress) -> CompactionReport:
    """Compacts every closed date that has files to merge, and removes what earlier runs left.

    An open date is never touched. Raises Conflict while another process compacts.
    """
    report = CompactionReport()
    with storage.lock("compact"):
        position = read_position(storage)
        dates = [
            key for key in group_by_date(storage.list_files()).items() if is_closed(key[0][1], options.now)
        ]
        for index, ((table, day), files) in enumerate(dates):
            progress("compact", index, len(dates))
            manifest = read_manifest(storage, table, day)
            DateCompaction(storage, table, day, manifest, position).compact(files, report, options)
        progress("compact", len(dates), len(dates))
        if not options.is_dry_run:
            storage.remove_leftovers(options.now.timestamp())
    return report


def is_closed(day: date, now: datetime) -> bool:
    return day < find_open_date(now)


def group_by_date(files: Sequence[StoredFile]) -> dict[tuple[str, date], list[StoredFile]]:
    """Returns the data files of each table and date, in their order; none where only a manifest is left."""
    groups = dict[tuple[str, date], list[StoredFile]]()
    for file in files:
        is_manifest = file.name == MANIFEST
        folder = parse_folder(f"{file.folder}/hour=00" if is_manifest else file.folder)
        if folder is not None and folder.table in TABLES:
            groups.setdefault((folder.table, folder.date), []).extend([] if is_manifest else [file])
    return groups


@dataclass(frozen=True, slots=True)
class DateCompaction:
    """The compaction of one table and date, from the state that its manifest names."""

    storage: LakeStorage
    table: str
    day: date
    manifest: DateManifest
    position: EventPosition

    def compact(
        self, files: Sequence[StoredFile], report: CompactionReport, options: CompactionOptions
    ) -> None:
        """Merges the files that count, unless they are compacted already, and reports it."""
        committed = select_committed(files, self.manifest, self.position)
        if not options.is_dry_run:
            self._remove_replaced(files, committed, options.now)
        if not committed or all(self._is_compacted(file) for file in committed):
            return
        report.dates.append((self.table, self.day))
        report.files_before += len(committed)
        report.bytes_before += sum(file.size for file in committed)
        if options.is_dry_run:
            return
        written = self._write(committed, options.max_file_bytes)
        self._commit(committed, written, options.now)
        report.files_after += len(written)
        report.rows += sum(rows for rows, _ in written.values())
        report.bytes_after += sum(size for _, size in written.values())

    def rewrite(
        self, files: Sequence[StoredFile], keep: Callable[[pa.Table], pa.Table], now: datetime
    ) -> None:
        """Commits the date with those rows of its files that `keep` returns; deletes the old files at once.

        files: all that are there. Also an open date: its later files count as ever.
        """
        committed = select_committed(files, self.manifest, self.position)
        written = self._write(committed, MAX_FILE_BYTES, keep)
        self._commit(committed, written, now)
        self._delete([file for file in files if file.name not in written])

    def _write(
        self,
        files: Sequence[StoredFile],
        max_bytes: int,
        keep: Callable[[pa.Table], pa.Table] = lambda rows: rows,
    ) -> dict[str, tuple[int, int]]:
        """Writes the merged rows that are kept; returns rows and bytes by the name of each new file."""
        revision, written = self.manifest.revision + 1, dict[str, tuple[int, int]]()
        with open_files(self.storage, files, self.table) as opened:
            together = "request_id" if self.table == CANDIDATES else None
            merged = cut_batches(opened.merge(opened.schema.names), ROW_GROUP_ROWS, together)
            batches = (kept for rows in merged if len(kept := keep(rows)))
            fingerprint = _read_fingerprint(opened.files[-1])
            rows = next(batches, None)
            while rows is not None:
                path = name_file(Folder(self.table, self.day), COMPACTED, revision * 10_000 + len(written))
                with self.storage.replace(path) as temporary:
                    count, rows = _fill_file(temporary, rows, batches, max_bytes, fingerprint)
                    size = temporary.stat().st_size
                written[path.rpartition("/")[2]] = (count, size)
        return written

    def _commit(
        self, files: Sequence[StoredFile], written: dict[str, tuple[int, int]], now: datetime
    ) -> None:
        merged = [shorten_path(file) for file in files if not self._is_compacted(file)]
        old = [path for path in self.manifest.merged if self.storage.grace_s]
        manifest = DateManifest(
            self.manifest.revision + 1,
            {name: rows for name, (rows, _) in written.items()},
            sorted({*merged, *old}),
            now.timestamp(),
        )
        write_manifest(self.storage, self.table, self.day, manifest)
        if not self.storage.grace_s:
            self._delete(files)

    def _remove_replaced(
        self, files: Sequence[StoredFile], committed: Sequence[StoredFile], now: datetime
    ) -> None:
        """Deletes merged files, and compacted ones that no manifest names, once nobody can be reading them.

        Events that are not committed are left to the exporter.
        """
        paths = {file.path for file in committed}
        since = max((file.modified_s for file in files if file.path not in paths), default=0.0)
        is_due = now.timestamp() - max(since, self.manifest.compacted_s) >= self.storage.grace_s
        merged = set(self.manifest.merged)
        if is_due or not self.storage.grace_s:
            self._delete(
                [
                    file
                    for file in files
                    if file.path not in paths and (shorten_path(file) in merged or self._is_compacted(file))
                ]
            )

    def _delete(self, files: Sequence[StoredFile]) -> None:
        self.storage.delete([file.path for file in files])
        for folder in {file.folder for file in files}:
            self.storage.prune_folder(folder)

    def _is_compacted(self, file: StoredFile) -> bool:
        match = FILE_PATTERN.fullmatch(file.name)
        return match is not None and match["writer"] == COMPACTED


def _fill_file(
    path: Path, rows: pa.Table, batches: Iterator[pa.Table], max_bytes: int, fingerprint: str
) -> tuple[int, pa.Table | None]:
    """Writes row groups until the file is full; returns its rows, and the rows that come next."""
    count, following = 0, rows
    with open_writer(path, rows.schema, choose_encoding(rows), fingerprint) as writer:
        while following is not None and path.stat().st_size < max_bytes * FULL_SHARE:
            writer.write_table(following, ROW_GROUP_ROWS)
            count += len(following)
            following = next(batches, None)
    return count, following


def _read_fingerprint(file: Any) -> str:
    metadata = file.metadata.metadata or {}
    return bytes(metadata.get(b"feature_fingerprint", b"")).decode()
