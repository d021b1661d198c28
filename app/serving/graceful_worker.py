"""A thread worker of gunicorn that stops without lost connections.

gunicorn stops accepting first and closes the listening socket seconds later. Clients that connect in
between are reset, and cannot tell that from a lost request. This worker accepts the pending connections and
closes the socket at once: later clients are refused, so they know that they may retry.
"""

import selectors
from contextlib import suppress
from typing import Any

from gunicorn.http.errors import ParseException
from gunicorn.util import write_nonblock

from reelrank.app.serving.admitting_worker import AdmittingWorker
from reelrank.app.serving.request_errors import encode_request_error


class GracefulWorker(AdmittingWorker):
    """An AdmittingWorker with a graceful stop, and with problems in place of gunicorn's error pages."""

    def set_accept_enabled(self, enabled: bool) -> None:
        super().set_accept_enabled(enabled)
        if not enabled and not self.alive:
            for listener in self.sockets:
                self._accept_pending(listener)
                listener.close()

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answers with a problem in place of gunicorn's page."""
        if isinstance(exc, ParseException):
            self.log.warning("invalid request from %s: %s", addr[0] if addr else "a socket", exc)
        else:
            self.log.exception("Error handling request")
        with suppress(OSError):  # the client may have gone
            write_nonblock(client, encode_request_error(exc))

    def _accept_pending(self, listener: Any) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(listener, selectors.EVENT_READ)
            while selector.select(timeout=0):
                self.accept(listener)
