"""A worker that serves by priority and refuses at once what it cannot answer in time (`admission.py`)."""

import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from reelrank.app.clock import WAITED_S
from reelrank.app.serving.admission import Admission, Waiting, classify
from reelrank.app.serving.request_errors import encode_problem
from reelrank.app.serving.sending_worker import SendingWorker

HEALTH_THREADS = 2
"""So that a probe never waits for a thread that a slow request holds."""


class AdmittingWorker(SendingWorker):
    """A SendingWorker with a queue before its threads."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.admission: Admission[Any] = Admission(self.settings.answer_within_ms / 1000, self.cfg.threads)

    def get_thread_pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(max_workers=self.cfg.threads + HEALTH_THREADS)

    def submit(self, conn: Any, request_line: bytes) -> None:
        now = time.monotonic()
        if self.admission.offer(conn, classify(request_line), now):
            self._serve_waiting()
        else:
            self._refuse_overload(conn)

    def _serve_waiting(self) -> None:
        """Starts what may start now. Runs in the main loop, as all that touches the queue."""
        while True:
            waiting, expired = self.admission.take(time.monotonic())
            for late in expired:
                self._refuse_overload(late.entry)
            if waiting is None:
                return
            self._start(waiting)

    def _start(self, waiting: Waiting[Any]) -> None:
        future = self.tpool.submit(self._serve, waiting)
        future.add_done_callback(lambda done: self.method_queue.defer(self._finish, waiting, done))

    def _serve(self, waiting: Waiting[Any]) -> Any:
        """Runs in a thread. Returns what gunicorn's `handle` returns."""
        began = time.monotonic()
        WAITED_S.set(began - waiting.arrived)
        try:
            return self.handle(waiting.entry)
        finally:
            waiting.entry.service_s = time.monotonic() - began

    def _finish(self, waiting: Waiting[Any], done: "Future[Any]") -> None:
        self.admission.finish(waiting.kind, waiting.entry.service_s)
        self.finish_request(waiting.entry, done)
        self._serve_waiting()

    def _refuse_overload(self, conn: Any) -> None:
        message = "more requests wait than can be answered in time; send this one again"
        self._refuse(conn, encode_problem("overloaded", message, self.admission.retry_after_s))
