"""A data stream that dashboards read: rows are appended and become visible within seconds."""

from collections.abc import Mapping, Sequence
from typing import Any

from reelrank.app.engines.server.events.data_stream_lifecycle import (
    DataStreamLifecycle,
    RetentionPolicy,
    ensure_stream,
)
from reelrank.app.engines.server.transport.bulk import BulkAction, BulkWriter
from reelrank.app.engines.server.transport.cluster import Cluster
from reelrank.index_mappings.errors import BadRequest

MAX_STALL_S = 5.0
"""A short wait: rows may be lost, but their writer must not be delayed."""


class DashboardStream:
    """Appends rows to one data stream. template: its index template; the first append creates the stream."""

    def __init__(self, cluster: Cluster, template: Mapping[str, Any], retention: RetentionPolicy) -> None:
        (self.name,) = template["index_patterns"]
        self.cluster = cluster
        self.template = template
        self.lifecycle = DataStreamLifecycle(cluster, self.name, retention)
        self._is_created = False

    def append(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Appends rows that have `id` and `at_ms`. Raises EngineError.

        An id counts once within a backing index.
        """
        if not self._is_created:
            ensure_stream(self.cluster, self.name, self.template)
            self._is_created = True
        actions = [_build_action(row) for row in rows]
        for verdict in BulkWriter(self.cluster, self.name, max_stall_s=MAX_STALL_S).write(actions):
            if not verdict.succeeded and verdict.status != 409:
                raise BadRequest(f"{self.name} rejected a row: {verdict.reason}", code="event_rejected")
        self.lifecycle.roll_over_and_expire_when_due()


def _build_action(row: Mapping[str, Any]) -> BulkAction:
    values = {name: value for name, value in row.items() if name not in ("id", "at_ms") and value is not None}
    return BulkAction("create", row["id"], {"@timestamp": row["at_ms"], **values})
