"""Request summaries on a cluster: a data stream that dashboards read and nothing else."""

from collections.abc import Sequence
from dataclasses import asdict

from reelrank.app.engines.server.cluster import Cluster
from reelrank.app.engines.server.dashboard_stream import DashboardStream
from reelrank.app.engines.server.generations import UNLIMITED, RetentionPolicy
from reelrank.app.search.summary import Summary
from reelrank.index_mappings.mapping import build_requests_template


class ServerSummaries:
    def __init__(self, cluster: Cluster, stream: str, retention: RetentionPolicy = UNLIMITED) -> None:
        self.stream = DashboardStream(cluster, build_requests_template(stream), retention)

    def append(self, summaries: Sequence[Summary]) -> None:
        self.stream.append([asdict(summary) for summary in summaries])
