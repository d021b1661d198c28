"""gunicorn's thread worker, which on stopping also answers connections that wait to be accepted.

gunicorn stops accepting first and closes the listening socket seconds later; whoever connects in
between is reset. Here what waits is accepted, and the socket closed at once, so that later clients
are refused, which they can tell from a lost request.
"""

import selectors
from typing import Any

from gunicorn.workers.gthread import ThreadWorker


class GracefulWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn states no types
    def set_accept_enabled(self, enabled: bool) -> None:
        super().set_accept_enabled(enabled)
        if not enabled and not self.alive:
            for listener in self.sockets:
                self._accept_what_waits(listener)
                listener.close()

    def _accept_what_waits(self, listener: Any) -> None:
        with selectors.DefaultSelector() as waiting:
            waiting.register(listener, selectors.EVENT_READ)
            while waiting.select(timeout=0):
                self.accept(listener)
