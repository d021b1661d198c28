"""Writes rows into the lake: one file for each folder, whole, which counts from the moment it is there."""

import secrets
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from functools import partial

import numpy as np
import pyarrow as pa

from reelrank.index_mappings.decision import CANDIDATES, REQUESTS
from reelrank.index_mappings.event import HOUR_MS
from reelrank.loaders.lake.manifest import Folder, find_folder, name_file
from reelrank.loaders.lake.parquet_files import write_table
from reelrank.loaders.lake.storage import LakeStorage

WRITING_THREADS = 8
"""Files that are written at a time. A history of ten years has thousands, and each waits for the disk."""


@dataclass(slots=True)
class LakeWriter:
    """One writer of the lake. Its name is unique, so no writer can overwrite the files of another.

    fingerprint: of the features, for the metadata of files. threads: that write files. One thread needs no
    pool, which Python refuses to a process that is ending.
    """

    storage: LakeStorage
    fingerprint: str = ""
    threads: int = WRITING_THREADS
    name: str = field(default_factory=lambda: secrets.token_hex(6))
    files: int = 0

    def write_decisions(self, requests: pa.Table, candidates: pa.Table, open_from: date) -> None:
        """Writes requests and candidates, which belong into the folder of their request.

        requests: rows without candidates are allowed, and candidates carry `at_ms` of their request.
        Candidates go first: a reader that sees a request sees its candidates. open_from: see `find_folder`.
        """
        for table, rows in ((CANDIDATES, candidates), (REQUESTS, requests)):
            self.write(table, rows, open_from)

    def write(self, table: str, rows: pa.Table, open_from: date) -> int:
        """Writes rows with `at_ms` into their folders; returns the number of files."""
        parts = split_by_folder(table, rows, open_from)
        paths = [name_file(folder, self.name, self.files + n) for n, folder in enumerate(parts)]
        self.files += len(parts)
        write_file = partial(self._write_file, table)
        if self.threads == 1 or len(parts) == 1:
            list(map(write_file, paths, parts.values()))
            return len(parts)
        with ThreadPoolExecutor(self.threads) as pool:  # most of the time of a small file is its fsync
            list(pool.map(write_file, paths, parts.values()))
        return len(parts)

    def _write_file(self, table: str, path: str, part: pa.Table) -> None:
        with self.storage.replace(path) as temporary:
            write_table(temporary, part, table, self.fingerprint)


def split_by_folder(table: str, rows: pa.Table, open_from: date) -> Mapping[Folder, pa.Table]:
    """Returns the rows of each folder, in the order of folders.

    The rows are sorted once: a history of twenty years has thousands of folders.
    """
    if not len(rows):
        return {}
    hours = rows["at_ms"].to_numpy() // HOUR_MS
    order = np.argsort(hours, kind="stable")
    ordered, hours = rows.take(pa.array(order)), hours[order]
    starts = np.flatnonzero(np.diff(hours, prepend=hours[:1] - 1)).tolist()
    parts = dict[Folder, tuple[int, int]]()
    for start, end in zip(starts, [*starts[1:], len(hours)], strict=True):
        folder = find_folder(table, int(hours[start]) * HOUR_MS, open_from)
        parts[folder] = (parts.get(folder, (start, 0))[0], end)
    return {folder: ordered.slice(start, end - start) for folder, (start, end) in sorted(parts.items())}
