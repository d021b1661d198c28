"""Retention: whole dates that are older than the days to keep are removed."""

from datetime import date, datetime, timedelta

from reelrank.loaders.lake.compaction import group_by_date
from reelrank.loaders.lake.manifest import (
    MANIFEST,
    DateManifest,
    find_open_date,
    format_date_folder,
    read_manifest,
    shorten_path,
    write_manifest,
)
from reelrank.loaders.lake.storage import LakeStorage, StoredFile


def remove_expired(
    storage: LakeStorage, keep_days: float, now: datetime, is_dry_run: bool = False
) -> list[tuple[str, date]]:
    """Removes the dates that ended more than `keep_days` days ago; returns each table and date.

    A date is first committed as empty, so that a kill half way leaves no part of it to read. Open dates are
    never removed. Raises Conflict while another process compacts.
    """
    first_kept = min((now - timedelta(days=keep_days)).date(), find_open_date(now))
    with storage.lock("compact"):
        groups = group_by_date(storage.list_files())
        expired = {key: files for key, files in groups.items() if key[1] < first_kept and files}
        if not is_dry_run:
            for (table, day), files in expired.items():
                _remove_date(storage, table, day, files)
            _remove_empty_manifests(storage, first_kept)
    return sorted(expired)


def _remove_date(storage: LakeStorage, table: str, day: date, files: list[StoredFile]) -> None:
    manifest = read_manifest(storage, table, day)
    merged = sorted({*manifest.merged, *(shorten_path(file) for file in files)})
    write_manifest(storage, table, day, DateManifest(manifest.revision + 1, {}, merged, manifest.compacted_s))
    storage.delete([file.path for file in files])
    for folder in {file.folder for file in files}:
        storage.prune_folder(folder)


def _remove_empty_manifests(storage: LakeStorage, first_kept: date) -> None:
    """Removes manifests of expired dates without files, also those that a killed run left."""
    for (table, day), files in group_by_date(storage.list_files()).items():
        if day < first_kept and not files:
            storage.delete([f"{format_date_folder(table, day)}/{MANIFEST}"])
            storage.prune_folder(format_date_folder(table, day))
