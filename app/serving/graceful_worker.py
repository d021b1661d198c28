"""gunicorn's thread worker, with answers that leave whole (`answer_socket.py`) and a graceful end.

gunicorn stops accepting first and closes the listening socket seconds later; whoever connects in
between is reset. Here what waits is accepted, and the socket closed at once, so that later clients
are refused, which they can tell from a lost request.
"""

import selectors
from copy import copy
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

from reelrank.app.serving.response_socket import BufferedSocket


class GracefulWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn states no types
    def set_accept_enabled(self, enabled: bool) -> None:
        super().set_accept_enabled(enabled)
        if not enabled and not self.alive:
            for listener in self.sockets:
                self._accept_pending(listener)
                listener.close()

    def handle_request(self, req: Any, conn: Any) -> Any:
        answering = copy(conn)
        answering.sock = BufferedSocket(conn.sock)
        is_kept_alive = super().handle_request(req, answering)
        answering.sock.flush()
        return is_kept_alive

    def _accept_pending(self, listener: Any) -> None:
        with selectors.DefaultSelector() as waiting:
            waiting.register(listener, selectors.EVENT_READ)
            while waiting.select(timeout=0):
                self.accept(listener)
