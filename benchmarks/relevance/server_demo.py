"""The demo on a running server: copied from a copy of its data directory, and removed afterwards."""

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
from reelrank.app.engines.server.matcher import Dialect
from reelrank.app.engines.server.transport.cluster import Cluster
from reelrank.app.settings import Settings
from reelrank.app.wiring import Container, build_container, build_release_manager
from reelrank.index_mappings.engine import Matcher
from reelrank.index_mappings.event import Event
from reelrank.index_mappings.item import Document
from reelrank.loaders.events.history import load_history
from reelrank.ranking.progress import Progress

PREFIX, ITEM_BATCH = "reelbench-", 200
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
        is_elastic = self.engine.name == "elasticsearch"
        dialect: Dialect = ElasticsearchDialect(beam) if is_elastic else OpenSearchDialect(beam)
        return ServerEngine(self.engine.cluster, dialect, self.engine.layout)


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
            documents = _copy_items(local, container, progress)
            _copy_events(local, container, progress)
            yield ServerDemo(documents, local.engine, container, engine, _read_version(engine.cluster))
        finally:
            _remove_indices(engine.cluster)
            engine.close()


def _copy_items(source: Container, target: Container, progress: Progress) -> list[Document]:
    """Copies the serving release in small batches, which a busy server takes in time too."""
    pointer = build_release_manager(source).settle()
    if pointer is None:
        raise LookupError("the demo has no release; run: reelrank demo")
    release, documents = pointer.serving, list[Document]()
    target.engine.create_index(release.index_version)
    for batch in source.engine.scan(release.index_version, ITEM_BATCH):
        target.engine.write(release.index_version, batch)
        documents += batch
        progress("copying items", len(documents), len(documents))
    build_release_manager(target).publish(
        release.index_version, release.model, release.embeddings, "benchmark"
    )
    return documents


def _copy_events(source: Container, target: Container, progress: Progress) -> None:
    position, copied = None, 0
    while True:
        batch, position = source.events.follow(position)
        if not batch.num_rows:
            return
        events = [Event(**row) for row in batch.to_pylist()]
        copied += load_history(events, target.events).stored
        progress("copying events", copied, source.events.count())


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
