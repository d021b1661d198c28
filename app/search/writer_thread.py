"""A thread that writes what others leave in a queue, so that no request waits for a disk or a cluster."""

import queue
import threading
from collections.abc import Callable
from typing import TypeVar

FLUSH_S = 0.5
CLOSE_S = 10.0

T = TypeVar("T")


class WriterThread:
    """Calls write(False) twice a second and, once, write(True) at the close."""

    def __init__(self, name: str, write: Callable[[bool], None]) -> None:
        self._name = name
        self._flush = write
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
            self._flush(ended)


def gathered(waiting: "queue.Queue[T]") -> list[T]:
    """Everything that is in a queue now."""
    found: list[T] = []
    while True:
        try:
            found.append(waiting.get_nowait())
        except queue.Empty:
            return found
