"""A server under test: its kind, its URL, and the engines connected to it."""

import itertools
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest

from reelrank.app.engines.elasticsearch import build_elasticsearch_cluster, build_elasticsearch_engine
from reelrank.app.engines.opensearch import build_opensearch_cluster, build_opensearch_engine
from reelrank.app.engines.server.documents.versions import Layout
from reelrank.app.engines.server.engine import ServerEngine
from reelrank.app.engines.server.transport.access import Access
from reelrank.app.engines.server.transport.cluster import Cluster
from tests.servers.node import KINDS, OWN_URLS, Node, find_missing
from tests.servers.three_nodes import SPREAD_SETTINGS

CLUSTERS: dict[str, Callable[[Access], Cluster]] = {
    "elasticsearch": build_elasticsearch_cluster,
    "opensearch": build_opensearch_cluster,
}
ENGINES: dict[str, Callable[[Cluster, Layout], ServerEngine]] = {
    "elasticsearch": build_elasticsearch_engine,
    "opensearch": build_opensearch_engine,
}
EngineSettingsFactory = Callable[[], Mapping[str, str]]
"""Returns engine settings with a new index prefix at each call."""
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Server:
    """url: comma-separated for several nodes. nodes: those that tests may stop, if any."""

    kind: str
    url: str
    nodes: tuple[Node, ...] = ()

    @property
    def product(self) -> str:
        return self.kind.split("-")[0]

    def open_cluster(self) -> Cluster:
        return CLUSTERS[self.product](Access(tuple(self.url.split(","))))

    def build_engine(self, cluster: Cluster, layout: Layout) -> ServerEngine:
        return ENGINES[self.product](cluster, layout)

    def build_settings(self, prefix: str) -> dict[str, str]:
        """Builds the settings of a project on this server; see `reelrank.app.settings`."""
        shards = SPREAD_SETTINGS if self.nodes else {}
        return {"engine": self.product, "engine_url": self.url, "engine_prefix": prefix, **shards}


def require_startable(kind: str) -> str:
    """Returns the kind if this machine can start it. Else skips the test, or fails if REQUIRE_ENGINES=1."""
    missing = find_missing(kind)
    if missing is not None and os.environ.get("REQUIRE_ENGINES") == "1":
        pytest.fail(f"{kind} is required: {missing}")
    if missing is not None:
        pytest.skip(f"{kind}: {missing}")
    return kind


def create_prefix() -> str:
    """Creates an index prefix that is unique even on a server that test runs share."""
    return f"reeltest-{os.getpid()}-{next(_numbers)}-"


def remove_indices(cluster: Cluster, prefix: str) -> None:
    """Removes everything that a test created under its prefix."""
    for stream in ("events", "requests", "impressions"):
        # nodes without the data stream module refuse this; their data is thrown away
        cluster.request("DELETE", f"/_data_stream/{prefix}{stream}")
        cluster.request("DELETE", f"/_index_template/{prefix}{stream}")
    for index in cluster.request_or_raise("GET", f"/{prefix}*/_settings/index.uuid"):
        if not index.startswith(".ds-"):
            cluster.request("DELETE", f"/{index}")


def build_kind_params(*names: str) -> list[object]:
    """Returns parameters for some or all kinds, marked as slow, and for servers set by OWN_URLS."""
    own = [f"{product}-own" for product, variable in OWN_URLS.items() if os.environ.get(variable)]
    return [
        pytest.param(kind, marks=[pytest.mark.slow, pytest.mark.servers])
        for kind in (*(names or KINDS), *own)
    ]
