"""Request summaries on a cluster: a data stream that only dashboards read."""

from collections.abc import Sequence
from dataclasses import asdict

from reelrank.app.engines.server.events.dashboard_stream import DashboardStream
from reelrank.app.engines.server.events.data_stream_lifecycle import UNLIMITED, RetentionPolicy
from reelrank.app.engines.server.transport.cluster import Cluster
from reelrank.app.feedback.request_summary import Summary
from reelrank.index_mappings.mapping import build_requests_template


class ServerSummaries:
    def __init__(self, cluster: Cluster, stream: str, retention: RetentionPolicy = UNLIMITED) -> None:
        self.stream = DashboardStream(cluster, build_requests_template(stream), retention)

    def append(self, summaries: Sequence[Summary]) -> None:
        self.stream.append([asdict(summary) for summary in summaries])
