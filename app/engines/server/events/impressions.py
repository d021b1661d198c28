"""Impressions, and the actions that followed them, on a cluster: a data stream that only dashboards read."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from reelrank.app.engines.server.events.dashboard_stream import DashboardStream
from reelrank.app.engines.server.events.data_stream_lifecycle import UNLIMITED, RetentionPolicy
from reelrank.app.engines.server.events.viewer_events import delete_of_viewer, expunge_deleted
from reelrank.app.engines.server.transport.cluster import Cluster, Reply
from reelrank.app.feedback.impression_log import Impression
from reelrank.index_mappings.errors import NotFound
from reelrank.index_mappings.mapping import build_impressions_template

FIND_BATCH = 1000
FIND_TIMEOUT_S = 5.0


class ServerImpressions:
    def __init__(self, cluster: Cluster, stream: str, retention: RetentionPolicy = UNLIMITED) -> None:
        self.cluster = cluster
        self.stream = DashboardStream(cluster, build_impressions_template(stream), retention)

    def append(self, impressions: Sequence[Impression]) -> None:
        self.stream.append([asdict(impression) for impression in impressions])

    def erase_user(self, users: Sequence[str]) -> int:
        erased = delete_of_viewer(self.cluster, self.stream.name, tuple(users))
        if erased:
            expunge_deleted(self.cluster, self.stream.name)
        return erased

    def find(self, ids: Sequence[str]) -> Mapping[str, Impression]:
        """Returns impressions by id. Refreshes first, to find what another worker has just written."""
        name = self.stream.name
        try:
            self.cluster.refresh(name)
            starts = range(0, len(ids), FIND_BATCH)
            hits = [hit for start in starts for hit in self._search_hits(ids[start : start + FIND_BATCH])]
        except NotFound:
            return {}
        return {hit["_id"]: _decode_impression(hit) for hit in hits}

    def _search_hits(self, ids: Sequence[str]) -> list[Reply]:
        distinct = list(dict.fromkeys(ids))
        body = {"query": {"ids": {"values": distinct}}, "size": len(distinct), "track_total_hits": False}
        return self.cluster.search(self.stream.name, body, FIND_TIMEOUT_S)


def _decode_impression(hit: Mapping[str, Any]) -> Impression:
    source = dict(hit["_source"])
    at_ms, sources = source.pop("@timestamp"), tuple(source.pop("sources"))
    degraded = tuple(source.pop("degraded", ()))  # rows of earlier builds lack it
    return Impression(id=hit["_id"], at_ms=at_ms, sources=sources, degraded=degraded, **source)
