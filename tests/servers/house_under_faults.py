"""A served house behind a proxy before a real node, and each fault that a viewer may meet there."""

import copy
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import urllib3

from app.engines.server.access import Access
from app.engines.server.cluster import Cluster
from app.engines.server.engine import ServerEngine
from app.wiring import Parts
from index_mappings.item import Document
from tests.served import Served
from tests.servers.node import Node
from tests.servers.proxy import Guard, Mode, Proxy
from tests.servers.server import Server
from tests.small_house import FILMS, build_house

PREFIX, SHARDS, LOST = "viewer-", 3, 1
NARROW = ("discovery.type=single-node", "thread_pool.search.size=1", "thread_pool.search.queue_size=60")
"""Of the node: a page asks about twenty shards, `FLOOD` six hundred."""
FLOOD = b'{}\n{"query":{"match_all":{}}}\n' * 200
RIGHT = Access(username="reader", password="sesame")
REFUSAL = (
    b"HTTP/1.1 401 Unauthorized\r\ncontent-type: application/json\r\ncontent-length: 59\r\n\r\n"
    b'{"error":{"type":"security_exception","reason":"no entry"}}'
)
KNN = b'"knn"'


@dataclass(frozen=True, slots=True)
class House:
    """parts: as built, past the proxy."""

    node: Node
    proxy: Proxy
    parts: Parts
    service: Served

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


Fault = Callable[[House], AbstractContextManager[None]]
"""There for as long as the block lasts."""


def build_in_shards(node: Node, data_dir: Path) -> Parts:
    there = Server(node.kind, node.url).settings(PREFIX)
    in_shards = {**there, "engine_shards": str(SHARDS), "engine_replicas": "0"}
    return build_house(data_dir, datetime.now(UTC), on=in_shards)


@contextmanager
def node_stands_still(house: House) -> Iterator[None]:
    house.node.pause()
    yield
    house.node.resume()


@contextmanager
def node_is_killed(house: House) -> Iterator[None]:
    house.node.kill()
    yield
    house.node.restart().wait()


def bad_line(mode: Mode) -> Fault:
    @contextmanager
    def bad(house: House) -> Iterator[None]:
        house.proxy.mode = mode
        yield
        house.proxy.mode = "pass"

    return bad


@contextmanager
def source_is_slow(house: House) -> Iterator[None]:
    house.proxy.slow = KNN
    yield
    house.proxy.slow = b""


@contextmanager
def password_is_wrong(house: House) -> Iterator[None]:
    house.proxy.guard = Guard(RIGHT.headers()["authorization"], REFUSAL)
    yield
    house.proxy.guard = None


@contextmanager
def queue_is_full(house: House) -> Iterator[None]:
    """Of searches: somebody else asks too much of the node."""
    ended = threading.Event()
    url = f"{house.node.url}/{PREFIX}items/_msearch?max_concurrent_searches=200"

    def flood() -> None:
        while not ended.is_set():
            urllib3.request("POST", url, body=FLOOD, headers={"Content-Type": "application/x-ndjson"})

    floods = [threading.Thread(target=flood) for _ in range(3)]
    for each in floods:
        each.start()
    try:
        yield
    finally:
        ended.set()
        for each in floods:
            each.join()


@contextmanager
def mapping_does_not_fit(house: House) -> Iterator[None]:
    """A version whose text vectors have another size serves."""
    before, other = house.engine.serving_version(), Server(house.node.kind, house.node.url)
    misfit = other.engine(house.cluster, house.engine.layout)
    body = copy.deepcopy(dict(misfit.dialect.items_index()))
    body["mappings"]["properties"]["text_vector"][
        "dims" if other.product == "elasticsearch" else "dimension"
    ] = 3
    misfit.index_versions.body = body
    misfit.create_index("items-misfit")
    assert misfit.write("items-misfit", [Document(film) for film in FILMS]).written == len(FILMS)
    misfit.promote("items-misfit")
    yield
    assert before is not None
    house.engine.promote(before)
    house.engine.drop("items-misfit")


@contextmanager
def index_is_deleted(house: House) -> Iterator[None]:
    house.cluster.demand("DELETE", f"/{house.index}")
    yield
    build_in_shards(house.node, house.parts.settings.data_dir)


@contextmanager
def shard_is_lost(house: House) -> Iterator[None]:
    """One of three is on no disk."""
    index = house.index
    settings = house.cluster.demand("GET", f"/{index}/_settings/index.uuid")[index]["settings"]["index"]
    house.node.stop(keep=True)
    folder, aside = house.node.shard(settings["uuid"], LOST), house.node.home / "aside"
    folder.rename(aside)
    house.node.restart().wait(status="red")
    yield
    house.node.stop(keep=True)
    aside.rename(folder)
    house.node.restart().wait()
