"""A thread that writes what others leave in a queue, so that no request waits for a disk or a cluster."""

import queue
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

import structlog

from reelrank.index_mappings.errors import TRANSIENT

FLUSH_S = 0.5
CLOSE_S = 10.0

PASSING_FAILURES = (*TRANSIENT, OSError)
"""Failures of the place that is written to, such as a full disk: no record is to blame."""

T = TypeVar("T")
log = structlog.get_logger("reelrank.writer")


class WriterThread:
    """Calls write(False) twice a second and, once, write(True) at the close.

    It logs whatever `write` raises and goes on: if that ended the thread, nothing more would be recorded.
    """

    def __init__(self, name: str, write: Callable[[bool], None]) -> None:
        self._name = name
        self._write = write
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()

    def start(self) -> None:
        self._closing.clear()
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Waits until what is left is written, at most CLOSE_S."""
        if self._thread is not None:
            self._closing.set()
            self._thread.join(timeout=CLOSE_S)
            self._thread = None

    def _run(self) -> None:
        ended = False
        while not ended:
            ended = self._closing.wait(FLUSH_S)
            try:
                self._write(ended)
            except Exception:
                log.exception("writer failed, it goes on", thread=self._name)


def drain_queue(pending: "queue.Queue[T]") -> list[T]:
    """Everything that is in a queue now."""
    found: list[T] = []
    while True:
        try:
            found.append(pending.get_nowait())
        except queue.Empty:
            return found


def write_isolated(write: Callable[[Sequence[T]], object], records: Sequence[T]) -> list[tuple[T, Exception]]:
    """Writes all records at once; if that fails, each half on its own, until the bad ones stand alone.

    Returns the records that cannot be written, with the reasons. Raises PASSING_FAILURES. `write` may get a
    record again that it wrote before it failed.
    """
    try:
        if records:
            write(records)
        return []
    except PASSING_FAILURES:
        raise
    except Exception as error:
        if len(records) == 1:
            return [(records[0], error)]
    half = len(records) // 2
    return write_isolated(write, records[:half]) + write_isolated(write, records[half:])
