"""A served project behind a proxy in front of a real node, and the faults that can hit viewers."""

import copy
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import urllib3

from reelrank.app.engines.server.engine import ServerEngine
from reelrank.app.engines.server.transport.access import Access
from reelrank.app.engines.server.transport.cluster import Cluster
from reelrank.app.wiring import Container, build_release_manager
from reelrank.index_mappings.item import Document
from tests.running_service import ServiceProcess
from tests.sample_project import FILMS, build_project
from tests.servers.node import Node
from tests.servers.proxy import Guard, Mode, Proxy
from tests.servers.server import Server

PREFIX, SHARDS, LOST = "viewer-", 3, 1
SMALL_QUEUE_SETTINGS = (
    "discovery.type=single-node",
    "thread_pool.search.size=1",
    "thread_pool.search.queue_size=60",
)
"""Node settings: a page sends about twenty shard searches, `FLOOD` six hundred."""
FLOOD = b'{}\n{"query":{"match_all":{}}}\n' * 200
VALID_ACCESS = Access(username="reader", password="sesame")
REFUSAL = (
    b"HTTP/1.1 401 Unauthorized\r\ncontent-type: application/json\r\ncontent-length: 59\r\n\r\n"
    b'{"error":{"type":"security_exception","reason":"no entry"}}'
)
KNN_MARKER = b'"knn"'


@dataclass(frozen=True, slots=True)
class ProjectUnderFaults:
    """parts: a container that bypasses the proxy."""

    node: Node
    proxy: Proxy
    parts: Container
    service: ServiceProcess

    @property
    def engine(self) -> ServerEngine:
        assert isinstance(self.parts.engine, ServerEngine)
        return self.parts.engine

    @property
    def cluster(self) -> Cluster:
        return self.engine.cluster

    @property
    def index(self) -> str:
        return f"{PREFIX}{self.engine.serving_version()}".lower()


FaultContext = Callable[[ProjectUnderFaults], AbstractContextManager[None]]
"""A fault that lasts while the block runs."""


def build_sharded(node: Node, data_dir: Path) -> Container:
    server_settings = Server(node.kind, node.url).build_settings(PREFIX)
    in_shards = {**server_settings, "engine_shards": str(SHARDS), "engine_replicas": "0"}
    return build_project(data_dir, datetime.now(UTC), engine_settings=in_shards)


@contextmanager
def pause_node(project: ProjectUnderFaults) -> Iterator[None]:
    project.node.pause()
    yield
    project.node.resume()


@contextmanager
def kill_node(project: ProjectUnderFaults) -> Iterator[None]:
    project.node.kill()
    yield
    project.node.restart().wait()


def set_proxy_mode(mode: Mode) -> FaultContext:
    @contextmanager
    def apply_mode(project: ProjectUnderFaults) -> Iterator[None]:
        project.proxy.mode = mode
        yield
        project.proxy.mode = "pass"

    return apply_mode


@contextmanager
def slow_down_source(project: ProjectUnderFaults) -> Iterator[None]:
    project.proxy.slow_marker = KNN_MARKER
    yield
    project.proxy.slow_marker = b""


@contextmanager
def require_other_password(project: ProjectUnderFaults) -> Iterator[None]:
    project.proxy.guard = Guard(VALID_ACCESS.build_headers()["authorization"], REFUSAL)
    yield
    project.proxy.guard = None


@contextmanager
def fill_queue(project: ProjectUnderFaults) -> Iterator[None]:
    """Fills the node's search queue with requests of another client."""
    ended = threading.Event()
    url = f"{project.node.url}/{PREFIX}items/_msearch?max_concurrent_searches=200"

    def flood() -> None:
        while not ended.is_set():
            urllib3.request("POST", url, body=FLOOD, headers={"Content-Type": "application/x-ndjson"})

    floods = [threading.Thread(target=flood) for _ in range(3)]
    for thread in floods:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in floods:
            thread.join()


@contextmanager
def serve_wrong_mapping(project: ProjectUnderFaults) -> Iterator[None]:
    """Serves a version with text vectors of another size."""
    before, other = project.engine.serving_version(), Server(project.node.kind, project.node.url)
    misfit = other.build_engine(project.cluster, project.engine.layout)
    body = copy.deepcopy(dict(misfit.dialect.build_items_index()))
    body["mappings"]["properties"]["text_vector"][
        "dims" if other.product == "elasticsearch" else "dimension"
    ] = 3
    misfit.index_versions.body = body
    misfit.create_index("items-misfit")
    assert misfit.write("items-misfit", [Document(film) for film in FILMS]).written == len(FILMS)
    misfit.promote("items-misfit")
    yield
    assert before is not None
    project.engine.promote(before)
    project.engine.drop("items-misfit")


@contextmanager
def delete_index(project: ProjectUnderFaults) -> Iterator[None]:
    pointer = project.parts.releases.read_pointer()
    assert pointer is not None
    project.cluster.request_or_raise("DELETE", f"/{project.index}")
    yield
    rebuilt = build_sharded(project.node, project.parts.settings.data_dir)
    build_release_manager(rebuilt).promote_model(pointer.serving.model)  # a new project has no model


@contextmanager
def lose_shard(project: ProjectUnderFaults) -> Iterator[None]:
    """Removes the files of one of three shards."""
    index = project.index
    settings = project.cluster.request_or_raise("GET", f"/{index}/_settings/index.uuid")[index]["settings"][
        "index"
    ]
    project.node.stop(keep_data=True)
    folder, aside = project.node.find_shard_directory(settings["uuid"], LOST), project.node.home / "aside"
    folder.rename(aside)
    project.node.restart().wait(status="red")
    yield
    project.node.stop(keep_data=True)
    aside.rename(folder)
    project.node.restart().wait()
