"""Sends requests to one cluster through its client library, within a deadline."""

import math
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Protocol
from urllib.parse import urlencode

import orjson

from reelrank.app.clock import SYSTEM_CLOCK, Clock
from reelrank.app.engines.server.transport.access import NotConnected
from reelrank.app.engines.server.transport.failures import build_error
from reelrank.index_mappings.errors import Partial, Timeout, Unavailable

Reply = dict[str, Any]
JSON, NDJSON = "application/json", "application/x-ndjson"
ADMIN_TIMEOUT_S = 60.0
"""Timeout of requests that no viewer waits for, such as creating an index or a bulk write."""
SERVER_TIMEOUT_SHARE = 0.9
"""Share of the remaining time that the server may use; the rest is for the network."""
CLOCK_SLACK_MS = 200
"""Servers read the clock only this often (`thread_pool.estimated_time_interval`). With a shorter timeout they
abort searches of a few milliseconds when the clock ticks (elastic/elasticsearch#11346)."""
REFRESH_TIMEOUT_S = 5.0
"""After this long, look for lost shards: servers wait a minute for them before a refresh fails."""
MAX_ATTEMPTS = 3
"""Hosts tried for one request while its deadline allows."""


class Transport(Protocol):
    """A client library reduced to one method.

    `send` returns status and body of any response. Raises Timeout or Unavailable without a response.
    """

    def send(
        self, method: str, path: str, body: bytes | None, mimetype: str, timeout_s: float
    ) -> tuple[int, Any]: ...

    def close(self) -> None: ...


class Cluster:
    """Connects at first use, separately in each process, so it may be created before a fork.

    clock: stamps what is written here and tells what is too old to keep.
    """

    def __init__(
        self, name: str, open_transport: Callable[[], Transport], clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self.name = name
        self.clock = clock
        self._open_transport = open_transport
        self._transport: tuple[int, Transport] | None = None
        self._limit = threading.local()

    @contextmanager
    def limit_time(self, timeout_s: float | None) -> Iterator[None]:
        """Limits the total time of this thread's requests within the block."""
        self._limit.until = time.monotonic() + (math.inf if timeout_s is None else timeout_s)
        try:
            yield
        finally:
            self._limit.until = math.inf

    def search(self, target: str, body: Mapping[str, Any], timeout_s: float) -> list[Reply]:
        """Returns the hits of a search. Raises the errors of `search_response`."""
        hits: list[Reply] = self.search_response(target, body, timeout_s)["hits"]["hits"]
        return hits

    def search_response(self, target: str, body: Mapping[str, Any], timeout_s: float) -> Reply:
        """Returns the response of a search that all shards answered.

        Raises Timeout, Partial with the response of the shards that answered, or NotFound without the target.
        """
        deadline = time.monotonic() + timeout_s
        timed_body = {"timeout": f"{CLOCK_SLACK_MS + int(timeout_s * 1000 * SERVER_TIMEOUT_SHARE)}ms", **body}
        status, answer = self.request_idempotent("POST", f"/{target}/_search", timed_body, deadline)
        reply: Reply = self.check_response(status, answer, f"search of {target}")
        if reply["timed_out"]:
            raise Timeout(f"{self.name} did not search all of {target} within {timed_body['timeout']}")
        total = reply["_shards"]["total"]
        # Not `failed`: OpenSearch counts a shard without any copy neither as successful nor as failed.
        if missing := total - reply["_shards"]["successful"]:
            raise Partial(f"{missing} of {total} shards of {target} on {self.name} did not answer", reply)
        return reply

    def request_idempotent(
        self, method: str, path: str, body: Mapping[str, Any] | None, deadline: float
    ) -> tuple[int, Any]:
        """Sends a request that may be repeated; tries other hosts while time is left."""
        payload = None if body is None else orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)
        for attempt in range(MAX_ATTEMPTS):
            try:
                return self._send(method, path, payload, JSON, deadline - time.monotonic())
            except Unavailable:
                if attempt + 1 == MAX_ATTEMPTS:
                    raise
        raise AssertionError("the last attempt returns or raises")

    def request(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, **params: str
    ) -> tuple[int, Any]:
        """Sends an administrative request. Returns status and body of any response.

        When a host is lost, GET is retried on another one; other methods only if they were never sent.
        """
        target = f"{path}?{urlencode(params)}" if params else path
        if method == "GET":
            return self.request_idempotent(method, target, body, time.monotonic() + ADMIN_TIMEOUT_S)
        payload = None if body is None else orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)
        return self.send_once(method, target, payload, JSON)

    def send_once(self, method: str, path: str, body: bytes | None, mimetype: str) -> tuple[int, Any]:
        """Sends a request that must not be repeated; tries another host only if it could not connect."""
        for _ in range(MAX_ATTEMPTS - 1):
            with suppress(NotConnected):
                return self._send(method, path, body, mimetype, ADMIN_TIMEOUT_S)
        return self._send(method, path, body, mimetype, ADMIN_TIMEOUT_S)

    def _send(
        self, method: str, path: str, body: bytes | None, mimetype: str, timeout_s: float
    ) -> tuple[int, Any]:
        left_s = min(timeout_s, getattr(self._limit, "until", math.inf) - time.monotonic())
        if left_s <= 0:
            raise Timeout(f"no time was left to send {method} {path} to {self.name}")
        return self.connect().send(method, path, body, mimetype, left_s)

    def request_or_raise(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, **params: str
    ) -> Any:
        """Sends an administrative request that must succeed. Raises the error of its status."""
        return self.check_response(*self.request(method, path, body, **params), f"{method} {path}")

    def refresh(self, target: str) -> None:
        """Makes all writes visible to searches. Raises Unavailable when a shard has no copy."""
        path = f"/{target}/_refresh"
        try:
            status, reply = self.request_idempotent("POST", path, None, time.monotonic() + REFRESH_TIMEOUT_S)
        except Timeout:
            self._require_all_shards(target)
            status, reply = self.request("POST", path)
        self.check_response(status, reply, f"POST {path}")

    def check_response(self, status: int, reply: Any, action: str) -> Any:
        if status >= 300:
            raise build_error(status, reply, f"{action} on {self.name}")
        if not isinstance(reply, dict):
            error = Unavailable(
                f"{action} on {self.name}: status {status} with an incomplete body",
                code="incomplete_response",
            )
            error.cause = repr(str(reply)[:100])
            raise error
        return reply

    def _require_all_shards(self, target: str) -> None:
        indices = self.request_or_raise("GET", f"/_cluster/health/{target}", level="indices")["indices"]
        counts = ((n, i["number_of_shards"], i["active_primary_shards"]) for n, i in indices.items())
        lost = [f"{all - up} of {all} shards of {name}" for name, all, up in counts if up < all]
        if lost:
            raise Unavailable(
                f"{' and '.join(lost)} on {self.name} have no copy; bring their nodes back",
                code="shards_without_copy",
            )

    def connect(self) -> Transport:
        if self._transport is None or self._transport[0] != os.getpid():
            self._transport = (os.getpid(), self._open_transport())
        return self._transport[1]

    def close(self) -> None:
        if self._transport is not None and self._transport[0] == os.getpid():
            self._transport[1].close()
        self._transport = None
