"""The demo on a running server: migrated from a copy of its data directory, and removed afterwards."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from reelrank.app.cli.ask import DEADLINE_MS
from reelrank.app.engines.elasticsearch import ElasticsearchDialect
from reelrank.app.engines.opensearch import OpenSearchDialect
from reelrank.app.engines.server.engine import ServerEngine
from reelrank.app.engines.server.transport.cluster import Cluster
from reelrank.app.jobs.migration import migrate
from reelrank.app.settings import Settings
from reelrank.app.wiring import Container, build_container
from reelrank.index_mappings.engine import Matcher
from reelrank.index_mappings.item import Document
from reelrank.ranking.progress import Progress

PREFIX = "reelbench-"
STREAMS = ("events", "requests", "impressions")


@dataclass(frozen=True, slots=True, eq=False)
class ServerDemo:
    """The same documents on the embedded engine and on a server. version: of the server, such as 9.0.4."""

    documents: Sequence[Document]
    embedded: Matcher
    container: Container
    engine: ServerEngine
    version: str

    def with_min_beam(self, beam: int) -> Matcher:
        """Returns a matcher that examines at least so many candidates in a kNN search."""
        dialects = {"elasticsearch": ElasticsearchDialect, "opensearch": OpenSearchDialect}
        return ServerEngine(self.engine.cluster, dialects[self.engine.name](beam), self.engine.layout)


@contextmanager
def open_server_demo(demo: Path, product: str, url: str, progress: Progress) -> Iterator[ServerDemo]:
    """Copies the data directory of a demo, and the demo to the server, under indices of its own."""
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary) / "demo"
        shutil.copytree(demo, directory)
        local = build_container(Settings(data_dir=directory, deadline_ms=DEADLINE_MS))
        settings = {"engine": product, "engine_url": url, "engine_prefix": PREFIX}
        container = build_container(Settings.model_validate({**local.settings.model_dump(), **settings}))
        engine = container.engine
        if not isinstance(engine, ServerEngine):
            raise TypeError(f"{product} is no server")
        _remove_indices(engine.cluster)
        try:
            migrate(container, progress)
            version = local.engine.serving_version() or ""
            documents = [document for batch in local.engine.scan(version) for document in batch]
            documents = sorted(documents, key=lambda document: document.item.id)
            yield ServerDemo(documents, local.engine, container, engine, _read_version(engine.cluster))
        finally:
            _remove_indices(engine.cluster)
            engine.close()


def _remove_indices(cluster: Cluster) -> None:
    """Removes everything under PREFIX. A server without the data stream module refuses a part of it."""
    for stream in STREAMS:
        cluster.request("DELETE", f"/_data_stream/{PREFIX}{stream}")
        cluster.request("DELETE", f"/_index_template/{PREFIX}{stream}")
    for index in cluster.request_or_raise("GET", f"/{PREFIX}*/_settings/index.uuid"):
        if not index.startswith(".ds-"):
            cluster.request("DELETE", f"/{index}")


def _read_version(cluster: Cluster) -> str:
    nodes = cluster.request_or_raise("GET", "/_nodes", filter_path="nodes.*.version")["nodes"]
    return str(min(node["version"] for node in nodes.values()))
