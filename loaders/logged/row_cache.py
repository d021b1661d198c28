"""Training rows on disk by hour, so that a training run builds only the hours that are new or have changed.

    <directory>/<config>/<date>-<hour>.json         what the rows of an hour were built from, and their file
    <directory>/<config>/<date>-<hour>-<hash>.rows  the rows of one hour: Arrow IPC, LZ4

`config` is a hash of all that decides rows beside the log. An entry is named by the hash of its bytes, which
are checked whenever it is read: what was damaged is not there, and is built again.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import structlog

from reelrank.index_mappings.event import DAY_MS
from reelrank.ranking.durable import TEMPORARY_PREFIX, compute_age_s, remove_leftovers, write_file

log = structlog.get_logger("reelrank.learning")

KEEP_DAYS = 35
"""Entries that were not read for so long are removed: training reads four weeks."""
COMPRESSION = "lz4"
"""LZ4 takes a fraction of the CPU time of zstd; see the measurement in docs/benchmarks.md."""
HASH_DIGITS = 32
INDEX_SUFFIX, ROWS_SUFFIX = ".json", ".rows"
SUFFIXES = (INDEX_SUFFIX, ROWS_SUFFIX)


@dataclass(frozen=True, slots=True)
class CachedHour:
    """What is known of an hour.

    inputs: hash of the names of all files that it depends on. content: hash of the logged pages and outcomes
    that its rows are built from; empty for an hour without requests. file: the rows; empty for none.
    """

    inputs: str = ""
    content: str = ""
    file: str = ""


class RowCache:
    """Entries of one config. max_bytes: of all configs together; what does not fit is not kept.

    Only entries that this object has not used make room: a log that is larger than the cache is cached in
    part, and does not push itself out.
    """

    def __init__(self, directory: Path, config: str, max_bytes: int) -> None:
        self._root, self._directory, self._max_bytes = directory, directory / config, max_bytes
        self._unused: dict[Path, int] = {}
        self._bytes = 0

    def open(self) -> None:
        """Creates the directory, and removes what was not read for KEEP_DAYS."""
        self._directory.mkdir(parents=True, exist_ok=True)
        remove_leftovers(self._directory)
        found = [(compute_age_s(path), path) for path in self._root.glob("*/*") if path.suffix in SUFFIXES]
        for age_s, path in sorted(found, reverse=True):
            if age_s > KEEP_DAYS * DAY_MS / 1000:
                path.unlink(missing_ok=True)
            elif path.suffix == ROWS_SUFFIX:
                self._unused[path] = path.stat().st_size
        self._bytes = sum(self._unused.values())

    def find_hour(self, day: date, hour: int) -> CachedHour:
        """Returns what is known of an hour; nothing of one whose index is missing or damaged."""
        path = self._locate_index(day, hour)
        try:
            document = json.loads(path.read_bytes())
            return CachedHour(*(str(document[name]) for name in CachedHour.__slots__))
        except FileNotFoundError:
            return CachedHour()
        except (ValueError, TypeError, KeyError):
            log.warning(
                "the cache of training rows has a damaged index, which is built again", file=str(path)
            )
            return CachedHour()

    def write_hour(self, day: date, hour: int, known: CachedHour) -> None:
        """Replaces the index of an hour, and removes its rows that the new one does not name."""
        write_file(self._locate_index(day, hour), json.dumps(asdict(known)))
        for path in self._directory.glob(f"{day}-{hour:02d}-*{ROWS_SUFFIX}"):
            if path.name != known.file:
                self._remove(path)

    def read_hour(self, entry: CachedHour) -> Iterator[pa.RecordBatch] | None:
        """Returns the rows of an hour; None when none are kept, or are gone or damaged, which is logged."""
        if not entry.file:
            return None
        path = self._directory / entry.file
        try:
            content = path.read_bytes()
        except OSError:
            log.warning("cached training rows are gone and built again", file=str(path))
            return None
        if _compute_hash(content) not in path.name:
            log.warning("cached training rows are damaged and built again", file=str(path))
            return None
        self._unused.pop(path, None)
        with suppress(OSError):
            os.utime(path)
        return _read_batches(content)

    @contextmanager
    def open_scratch(self) -> Iterator[Path]:
        """Yields a directory on the disk of the cache, which is removed when the block ends."""
        with tempfile.TemporaryDirectory(prefix=TEMPORARY_PREFIX, dir=self._directory) as directory:
            yield Path(directory)

    def keep(self, written: Path, day: date, hour: int) -> str | None:
        """Moves the rows of an hour into the cache, and returns their name; None when there is no room."""
        content = written.read_bytes()
        path = self._directory / f"{day}-{hour:02d}-{_compute_hash(content)}{ROWS_SUFFIX}"
        if path.exists():
            self._remove(path)
        if not self._make_room(len(content)):
            return None
        written.replace(path)
        self._bytes += len(content)
        return path.name

    def _make_room(self, size: int) -> bool:
        """Removes entries that were not used, those that were read longest ago first, if that is enough."""
        if self._bytes - sum(self._unused.values()) + size > self._max_bytes:
            return False
        for path in list(self._unused):
            if self._bytes + size <= self._max_bytes:
                break
            self._remove(path)
        return True

    def _remove(self, path: Path) -> None:
        with suppress(FileNotFoundError):
            self._bytes -= path.stat().st_size
            path.unlink()
        self._unused.pop(path, None)

    def _locate_index(self, day: date, hour: int) -> Path:
        return self._directory / f"{day}-{hour:02d}{INDEX_SUFFIX}"


def clear_row_cache(directory: Path) -> int:
    """Removes the entries of all configs, which are built again when they are needed; returns how many."""
    found = [path for path in directory.glob("*/*") if path.suffix in SUFFIXES]
    for path in found:
        path.unlink(missing_ok=True)
    return len(found)


def open_rows(path: Path, schema: pa.Schema) -> Any:
    """Opens a file of rows to write, a table at a time."""
    return pa.ipc.new_file(str(path), schema, options=pa.ipc.IpcWriteOptions(compression=COMPRESSION))


def read_rows(path: Path) -> Iterator[pa.RecordBatch]:
    """Yields the batches of a file of rows."""
    return _read_batches(path.read_bytes())


def _read_batches(content: bytes) -> Iterator[pa.RecordBatch]:
    reader = pa.ipc.open_file(pa.BufferReader(content))
    return (reader.get_batch(index) for index in range(reader.num_record_batches))


def _compute_hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:HASH_DIGITS]
