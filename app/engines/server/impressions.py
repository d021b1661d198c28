"""Impressions with what put them there, and what followed, on a cluster: read by dashboards alone."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from app.engines.server.cluster import Cluster, Reply
from app.engines.server.dashboard_stream import DashboardStream
from app.engines.server.generations import FOR_EVER, Lifetime
from app.search.impressions import Impression
from index_mappings.errors import NotFound
from index_mappings.mapping import impressions_template

FOUND_AT_ONCE = 1000
FIND_S = 5.0


class ServerImpressions:
    def __init__(self, cluster: Cluster, stream: str, lifetime: Lifetime = FOR_EVER) -> None:
        self.cluster = cluster
        self.stream = DashboardStream(cluster, impressions_template(stream), lifetime)

    def append(self, impressions: Sequence[Impression]) -> None:
        self.stream.add([asdict(impression) for impression in impressions])

    def find(self, ids: Sequence[str]) -> Mapping[str, Impression]:
        """Refreshes first: what another worker wrote a moment ago is found."""
        name = self.stream.name
        try:
            self.cluster.refresh(name)
            starts = range(0, len(ids), FOUND_AT_ONCE)
            hits = [hit for start in starts for hit in self._hits(ids[start : start + FOUND_AT_ONCE])]
        except NotFound:
            return {}
        return {hit["_id"]: _impression(hit) for hit in hits}

    def _hits(self, ids: Sequence[str]) -> list[Reply]:
        wanted = list(dict.fromkeys(ids))
        body = {"query": {"ids": {"values": wanted}}, "size": len(wanted), "track_total_hits": False}
        return self.cluster.search(self.stream.name, body, FIND_S)


def _impression(hit: Mapping[str, Any]) -> Impression:
    facts = dict(hit["_source"])
    at_ms, sources = facts.pop("@timestamp"), tuple(facts.pop("sources"))
    degraded = tuple(facts.pop("degraded", ()))  # lines of earlier builds have none
    return Impression(id=hit["_id"], at_ms=at_ms, sources=sources, degraded=degraded, **facts)
