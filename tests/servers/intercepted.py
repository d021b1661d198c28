"""A real transport with hooks before and after each request."""

from collections.abc import Callable
from typing import Any

from reelrank.app.engines.server.transport.cluster import Cluster, Transport

RequestHook = Callable[[str, str], None]
"""Called with method and path."""


def do_nothing(_method: str, _path: str) -> None:
    """Lets the request pass."""


class InterceptedTransport:
    """Calls `before` and `after` around each request; they may wait, raise, or end the process."""

    def __init__(self, transport: Transport, before: RequestHook, after: RequestHook) -> None:
        self._transport = transport
        self._before = before
        self._after = after

    def send(
        self, method: str, path: str, body: bytes | None, mimetype: str, timeout_s: float
    ) -> tuple[int, Any]:
        self._before(method, path)
        answer = self._transport.send(method, path, body, mimetype, timeout_s)
        self._after(method, path)
        return answer

    def close(self) -> None:
        self._transport.close()


def intercept(cluster: Cluster, before: RequestHook = do_nothing, after: RequestHook = do_nothing) -> Cluster:
    """Returns the cluster with hooks around its requests."""
    return Cluster(cluster.name, lambda: InterceptedTransport(cluster.connect(), before, after))
