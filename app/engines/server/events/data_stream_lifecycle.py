"""Rollover and retention of a data stream: starts a new backing index, and drops expired ones.

Elasticsearch and OpenSearch have different features for this, and some servers have none; this works on all.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from reelrank.app.clock import to_ms
from reelrank.app.engines.server.transport.cluster import ADMIN_TIMEOUT_S, Cluster
from reelrank.index_mappings.errors import EngineError, NotFound, explain
from reelrank.index_mappings.event import DAY_MS

MAX_SHARD_SIZE = "30gb"
"""Elastic's advice for a shard is 10 to 50 GB ("Size your shards")."""
LIFECYCLE_INTERVAL_S = 600.0
MAX_BACKING_INDICES = 10_000
ALREADY_EXISTS = "resource_already_exists"
"""Error type of the request that creates a data stream which exists already."""
CREATE_UNSUPPORTED = ("no handler found", "Incorrect HTTP method")
"""Errors of servers without that request."""

log = structlog.get_logger("reelrank.generations")


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """How long documents are stored. keep_days: no younger document is dropped; None: never drop."""

    keep_days: float | None = None
    rollover_days: float = 30.0


UNLIMITED = RetentionPolicy()


class DataStreamLifecycle:
    """Rolls one data stream over. interval_s: seconds between two checks, in each process that writes."""

    def __init__(
        self,
        cluster: Cluster,
        stream: str,
        retention: RetentionPolicy,
        interval_s: float = LIFECYCLE_INTERVAL_S,
    ) -> None:
        self.cluster = cluster
        self.stream = stream
        self.retention = retention
        self.interval_s = interval_s
        self._due_s = 0.0

    def roll_over_and_expire_when_due(self) -> None:
        """Checks when the interval has passed. A failure is logged and does not fail the append before it."""
        if time.monotonic() < self._due_s:
            return
        self._due_s = time.monotonic() + self.interval_s
        try:
            self.roll_over_and_expire(to_ms(self.cluster.clock.now()))
        except EngineError as error:
            log.warning("data stream not rolled over", stream=self.stream, error=explain(error))

    def roll_over_and_expire(self, now_ms: int) -> list[str]:
        """Rolls over if the newest backing index is old or large. Drops expired ones and returns their names.

        An expired backing index is no longer written to, and its newest document is older than keep_days.
        """
        age = f"{max(round(self.retention.rollover_days * DAY_MS), 1)}ms"
        conditions = {"max_age": age, "max_size": MAX_SHARD_SIZE}
        self.cluster.request_or_raise("POST", f"/{self.stream}/_rollover", {"conditions": conditions})
        if self.retention.keep_days is None:
            return []
        since_ms = now_ms - self.retention.keep_days * DAY_MS
        indices = self.cluster.request_or_raise("GET", f"/{self.stream}/_settings/index.uuid")
        *closed, _ = sorted(indices, key=parse_generation)
        newest = self._read_newest_ms()
        expired = [index for index in closed if newest.get(index, 0) < since_ms]
        for index in expired:
            self.cluster.request_or_raise("DELETE", f"/{index}")
        return expired

    def _read_newest_ms(self) -> dict[str, float]:
        """Returns the latest timestamp in each backing index; empty ones are left out."""
        latest = {"latest": {"max": {"field": "@timestamp"}}}
        indices = {"terms": {"field": "_index", "size": MAX_BACKING_INDICES}, "aggs": latest}
        body = {"size": 0, "aggs": {"indices": indices}}
        reply = self.cluster.search_response(self.stream, body, ADMIN_TIMEOUT_S)
        buckets = reply["aggregations"]["indices"]["buckets"]
        return {bucket["key"]: bucket["latest"]["value"] for bucket in buckets}


def parse_generation(index: str) -> int:
    """Returns the number at the end of a backing index, such as 2 of .ds-reelrank-events-000002."""
    return int(index.rpartition("-")[2])


def ensure_stream(cluster: Cluster, stream: str, template: Mapping[str, Any]) -> bool:
    """Creates the template and the data stream, or adds later fields to the stream of an earlier build.

    Some clusters do not let a write create a data stream. Others lack the request that does; there the first
    write creates it. Returns whether the stream exists.
    """
    cluster.request_or_raise("PUT", f"/_index_template/{stream}", template)
    status, reply = cluster.request("PUT", f"/_data_stream/{stream}")
    if ALREADY_EXISTS in str(reply):
        _add_fields(cluster, stream, template)
    elif any(words in str(reply) for words in CREATE_UNSUPPORTED):
        try:
            _add_fields(cluster, stream, template)
        except NotFound:
            return False
    else:
        cluster.check_response(status, reply, f"creating {stream}")
    return True


def _add_fields(cluster: Cluster, stream: str, template: Mapping[str, Any]) -> None:
    """Raises NotFound. Without it, the newest backing index would lack later fields until it rolls over."""
    properties = template["template"]["mappings"]["properties"]
    cluster.request_or_raise("PUT", f"/{stream}/_mapping", {"properties": properties})
