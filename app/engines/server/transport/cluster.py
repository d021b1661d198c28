"""One cluster, spoken to in paths and bodies through whichever client fits it; deadlines are kept here."""

import math
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Protocol
from urllib.parse import urlencode

import orjson

from reelrank.app.engines.server.transport.access import NotConnected
from reelrank.app.engines.server.transport.failures import build_error
from reelrank.index_mappings.errors import Partial, Timeout, Unavailable

Reply = dict[str, Any]
JSON, NDJSON = "application/json", "application/x-ndjson"
ADMIN_TIMEOUT_S = 60.0
"""What a request has that no viewer waits for: an index made, settings changed, a bulk of documents."""
SERVER_TIMEOUT_SHARE = 0.9
"""Of what is left, the share that the server is given; the rest is for the way there and back."""
CLOCK_SLACK_MS = 200
"""Servers look at the time so seldom (`thread_pool.estimated_time_interval`): told less than that, they end
searches of a few milliseconds that are under way when it moves (elastic/elasticsearch#11346)."""
REFRESH_TIMEOUT_S = 5.0
"""After so long it is asked what keeps a refresh: servers wait a minute for a shard that is lost."""
MAX_ATTEMPTS = 3
"""Connections tried for one question while its deadline allows: another host may answer."""


class Transport(Protocol):
    """A client library, cut down to one method.

    Gives status and body of whatever the server answers; raises Timeout or Unavailable when it does not.
    """

    def send(
        self, method: str, path: str, body: bytes | None, mimetype: str, timeout_s: float
    ) -> tuple[int, Any]: ...

    def close(self) -> None: ...


class Cluster:
    """Opens nothing until used, and anew in each process: safe to make before a fork."""

    def __init__(self, name: str, open_transport: Callable[[], Transport]) -> None:
        self.name = name
        self._open_transport = open_transport
        self._transport: tuple[int, Transport] | None = None
        self._limit = threading.local()

    @contextmanager
    def limit_time(self, timeout_s: float | None) -> Iterator[None]:
        """What this thread asks in the block has so long altogether, and no longer than it has elsewhere."""
        self._limit.until = time.monotonic() + (math.inf if timeout_s is None else timeout_s)
        try:
            yield
        finally:
            self._limit.until = math.inf

    def search(self, target: str, body: Mapping[str, Any], timeout_s: float) -> list[Reply]:
        """The hits of a search that all shards answered in time; raises as `searched` does."""
        hits: list[Reply] = self.search_response(target, body, timeout_s)["hits"]["hits"]
        return hits

    def search_response(self, target: str, body: Mapping[str, Any], timeout_s: float) -> Reply:
        """The whole answer, of all shards.

        Raises Timeout or Partial, with the answer of the others, when they did not answer in time; NotFound
        without the target.
        """
        until = time.monotonic() + timeout_s
        asked = {"timeout": f"{CLOCK_SLACK_MS + int(timeout_s * 1000 * SERVER_TIMEOUT_SHARE)}ms", **body}
        status, answer = self.request_idempotent("POST", f"/{target}/_search", asked, until)
        reply: Reply = self.check_response(status, answer, f"search of {target}")
        if reply["timed_out"]:
            raise Timeout(f"{self.name} did not search all of {target} within {asked['timeout']}")
        total = reply["_shards"]["total"]
        # Not `failed`: OpenSearch counts a shard without any copy neither as successful nor as failed.
        if lost := total - reply["_shards"]["successful"]:
            raise Partial(f"{lost} of {total} shards of {target} on {self.name} did not answer", reply)
        return reply

    def request_idempotent(
        self, method: str, path: str, body: Mapping[str, Any] | None, deadline: float
    ) -> tuple[int, Any]:
        """A question that may be asked again: another host is tried while time is left."""
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
        """With the time that administration has: status and body of any answer.

        What only reads is asked of another host when one is lost; what changes something, when it never got
        to one.
        """
        target = f"{path}?{urlencode(params)}" if params else path
        if method == "GET":
            return self.request_idempotent(method, target, body, time.monotonic() + ADMIN_TIMEOUT_S)
        payload = None if body is None else orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)
        return self.send_once(method, target, payload, JSON)

    def send_once(self, method: str, path: str, body: bytes | None, mimetype: str) -> tuple[int, Any]:
        """What must not be done twice: it goes to another host only where there was no connection."""
        for _ in range(MAX_ATTEMPTS - 1):
            with suppress(NotConnected):
                return self._send(method, path, body, mimetype, ADMIN_TIMEOUT_S)
        return self._send(method, path, body, mimetype, ADMIN_TIMEOUT_S)

    def _send(
        self, method: str, path: str, body: bytes | None, mimetype: str, timeout_s: float
    ) -> tuple[int, Any]:
        left = min(timeout_s, getattr(self._limit, "until", math.inf) - time.monotonic())
        if left <= 0:
            raise Timeout(f"no time was left to ask {self.name} for {path}")
        return self.connect().send(method, path, body, mimetype, left)

    def request_or_raise(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, **params: str
    ) -> Any:
        """A command that must succeed; raises what its refusal means."""
        return self.check_response(*self.request(method, path, body, **params), f"{method} {path}")

    def refresh(self, target: str) -> None:
        """Whatever is written is seen by searches then. Raises Unavailable when a shard has no copy."""
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
            raise Unavailable(f"{action} on {self.name}: {status}, but no whole answer: {str(reply)[:100]!r}")
        return reply

    def _require_all_shards(self, target: str) -> None:
        indices = self.request_or_raise("GET", f"/_cluster/health/{target}", level="indices")["indices"]
        counts = ((n, i["number_of_shards"], i["active_primary_shards"]) for n, i in indices.items())
        if lost := [f"{all - there} of {all} shards of {name}" for name, all, there in counts if there < all]:
            raise Unavailable(f"{' and '.join(lost)} on {self.name} have no copy; bring their nodes back")

    def connect(self) -> Transport:
        if self._transport is None or self._transport[0] != os.getpid():
            self._transport = (os.getpid(), self._open_transport())
        return self._transport[1]

    def close(self) -> None:
        if self._transport is not None and self._transport[0] == os.getpid():
            self._transport[1].close()
        self._transport = None
