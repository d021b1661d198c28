"""Runs work again and again in a thread of its own, beside the requests of a process."""

import threading
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from prometheus_client import Counter

log = structlog.get_logger("reelrank.background")


class BackgroundTask:
    """Calls `run` every `interval_s` seconds, in a daemon thread, from `start` to `stop`.

    An exception is logged and counted, and the next run comes as planned: if it ended the thread, the
    process would work with old data for ever, unnoticed.
    """

    def __init__(
        self,
        name: str,
        run: Callable[[], object],
        interval_s: float,
        last_run: Callable[[], object] | None = None,
    ) -> None:
        """Prepares a task; `start` runs it.

        last_run: called once after `stop`, in the same thread.
        """
        self._name = name
        self._run = run
        self._interval_s = interval_s
        self._last_run = last_run
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    def start(self, first_run: Callable[[], object] | None = None, wait_s: float = 0.0) -> None:
        """Starts the thread, once more after a `stop`. The first run comes after one interval.

        first_run: called before, at once. `start` waits until it has ended, for at most `wait_s` seconds.
        """
        self._stopping.set()  # each thread has an event of its own, so an earlier one ends
        self._stopping = threading.Event()
        is_started = threading.Event()
        arguments = (self._stopping, first_run, is_started)
        self._thread = threading.Thread(target=self._loop, args=arguments, name=self._name, daemon=True)
        self._thread.start()
        if first_run is not None:
            is_started.wait(wait_s)

    def stop(self, wait_s: float = 0.0) -> bool:
        """Plans no more runs; waits at most `wait_s` seconds for the one in progress and for `last_run`.

        Returns whether both have ended. A run may call it to end its own task.
        """
        self._stopping.set()
        if wait_s and self._thread is not None:
            self._thread.join(wait_s)
        return self._thread is None or not self._thread.is_alive()

    def _loop(
        self, stopping: threading.Event, first_run: Callable[[], object] | None, is_started: threading.Event
    ) -> None:
        if first_run is not None:
            self._call(first_run)
        is_started.set()
        while not stopping.wait(self._interval_s):
            self._call(self._run)
        if self._last_run is not None:
            self._call(self._last_run)

    def _call(self, run: Callable[[], object]) -> None:
        try:
            run()
        except Exception:
            log.exception("a run of a background task failed", task=self._name)
            get_failure_counter().labels(self._name).inc()


@cache
def get_failure_counter() -> "Counter":
    """Returns the counter, labelled by task. Its library loads in 0.25 s, which commands do not spend."""
    from prometheus_client import Counter

    return Counter("reelrank_background_failures", "Failed runs of background tasks.", ["task"])
