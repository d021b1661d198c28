"""Request summaries on a cluster: a data stream that dashboards read and nothing else."""

from collections.abc import Sequence
from dataclasses import asdict

from app.engines.server.cluster import Cluster
from app.engines.server.dashboard_stream import DashboardStream
from app.engines.server.generations import FOR_EVER, Lifetime
from app.search.summary import Summary
from index_mappings.mapping import requests_template


class ServerSummaries:
    def __init__(self, cluster: Cluster, stream: str, lifetime: Lifetime = FOR_EVER) -> None:
        self.stream = DashboardStream(cluster, requests_template(stream), lifetime)

    def append(self, summaries: Sequence[Summary]) -> None:
        self.stream.add([asdict(summary) for summary in summaries])
