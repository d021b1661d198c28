"""Counter snapshots: what a worker has counted, in a file, so that the next one counts what came since.

The file is one line of JSON, then the arrays as they are in memory. Its first field is a hash of the rest. It
is replaced as a whole. A snapshot that does not fit is ignored, with a sentence in the log: the worker then
counts all events.
"""

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import structlog
from numpy.typing import NDArray

from reelrank.app.state.activity_counters import ActivityCounters, CapturedCounters, SnapshotUnusable
from reelrank.index_mappings.event_store import EventStore
from reelrank.ranking.durable import compute_age_s, replace_file
from reelrank.ranking.items.table import ItemTable

log = structlog.get_logger("reelrank.live")


class SnapshotDamaged(SnapshotUnusable):
    """The file does not have what was written."""


FORMAT = 1
MIN_NEW_EVENTS = 50_000
"""New events that make a new snapshot worth its writing: to count them takes half a second."""
MIN_AGE_S = 300.0
"""Another worker's snapshot that is younger is good enough."""
MAX_HEADER_BYTES = 64 * 2**20


@dataclass(slots=True)
class CounterSnapshots:
    """Saves and opens snapshots in one file. counted: events that a snapshot of this process covers."""

    path: Path
    counted: int = 0

    def open(self, table: ItemTable, events: EventStore) -> ActivityCounters:
        """Returns counters that go on where the snapshot ends; new ones without a snapshot that fits."""
        if not self.path.exists():
            return ActivityCounters(table)
        try:
            counters = ActivityCounters.restore(read_snapshot(self.path), table, events)
        except SnapshotUnusable as error:
            # Only damage is a fault: a release on trial, for one, lacks the items that were put after it.
            level = logging.WARNING if isinstance(error, SnapshotDamaged) else logging.INFO
            message = "the snapshot of counters is not used, all events are counted"
            log.log(level, message, reason=str(error))
            return ActivityCounters(table)
        self.counted = counters.counted
        log.info("counters restored", events=counters.counted)
        return counters

    def save_if_due(self, counters: ActivityCounters) -> None:
        """Saves the counters if they have counted many events since, and no other worker has just saved."""
        if counters.counted < self.counted:  # events were withdrawn, and all were counted again
            self.counted = 0
        if counters.counted - self.counted < MIN_NEW_EVENTS:
            return
        try:
            if self.path.exists() and compute_age_s(self.path) < MIN_AGE_S:
                return
            self.counted = counters.counted
            write_snapshot(self.path, counters.capture())
        except OSError as error:
            log.info("no snapshot of counters is written", reason=str(error))


def write_snapshot(path: Path, captured: CapturedCounters) -> None:
    """Replaces the file."""
    arrays = {name: np.ascontiguousarray(array) for name, array in captured.arrays.items()}
    header = {
        "format": FORMAT,
        "arrays": [[name, array.dtype.str, list(array.shape)] for name, array in arrays.items()],
        "facts": captured.facts,
    }
    line = json.dumps({"sha256": _compute_hash(header, arrays), **header}).encode() + b"\n"
    with replace_file(path) as temporary:
        temporary.touch(mode=0o600)  # the key of the viewers' codes is in it
        with temporary.open("wb") as file:
            file.write(line)
            for array in arrays.values():
                file.write(_view_bytes(array))


def read_snapshot(path: Path) -> CapturedCounters:
    """Reads a file. Raises SnapshotUnusable for one that is damaged or of another format."""
    try:
        with path.open("rb") as file:
            header = json.loads(file.readline(MAX_HEADER_BYTES))
            if header.get("format") != FORMAT:
                raise SnapshotUnusable("it has another format")
            digest = header.pop("sha256")
            arrays = dict(_read_arrays(file, header["arrays"]))
            is_whole = not file.read(1) and digest == _compute_hash(header, arrays)
            facts = header["facts"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SnapshotDamaged("it cannot be read") from error
    if not is_whole:
        raise SnapshotDamaged("it is damaged: its content does not have its hash")
    return CapturedCounters(arrays, facts)


def _read_arrays(file: BinaryIO, described: list[Any]) -> Iterator[tuple[str, NDArray[Any]]]:
    for name, dtype, shape in described:
        size = int(np.prod(shape))
        values = np.frombuffer(file.read(size * np.dtype(dtype).itemsize), dtype)
        yield name, values.reshape(shape)


def _compute_hash(header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for array in arrays.values():
        digest.update(_view_bytes(array))
    return digest.hexdigest()


def _view_bytes(array: NDArray[Any]) -> memoryview:
    return array.reshape(-1).view(np.uint8).data if array.size else memoryview(b"")
