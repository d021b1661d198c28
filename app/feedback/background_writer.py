"""Writes queued records in the background, so that no request waits for a disk or a cluster."""

import queue
from collections.abc import Callable, Sequence
from typing import TypeVar

from reelrank.index_mappings.errors import TRANSIENT

FLUSH_S = 0.5
CLOSE_S = 15.0
"""How long the close of a log waits until its queue is written: with the 2 s in which connections drain it is
less than gunicorn's graceful_timeout, after which a worker is killed."""

CLOSED_EARLY = "the service ended before they were written"

TRANSIENT_FAILURES = (*TRANSIENT, OSError)
"""Failures of the place that is written to, such as a full disk: no record is to blame."""

T = TypeVar("T")


def drain_queue(pending: "queue.Queue[T]") -> list[T]:
    """Returns everything that is in a queue now."""
    records: list[T] = []
    while True:
        try:
            records.append(pending.get_nowait())
        except queue.Empty:
            return records


def write_isolated(write: Callable[[Sequence[T]], object], records: Sequence[T]) -> list[tuple[T, Exception]]:
    """Writes all records at once; if that fails, each half on its own, until the bad ones stand alone.

    Returns the records that cannot be written, with the reasons. Raises TRANSIENT_FAILURES. `write` may get a
    record again that it wrote before it failed.
    """
    try:
        if records:
            write(records)
        return []
    except TRANSIENT_FAILURES:
        raise
    except Exception as error:
        if len(records) == 1:
            return [(records[0], error)]
    half = len(records) // 2
    return write_isolated(write, records[:half]) + write_isolated(write, records[half:])
