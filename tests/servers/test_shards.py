"""A server that lost a shard or has a full search queue."""

import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from reelrank.app.engines.server.documents.versions import Layout
from reelrank.app.engines.server.engine import ServerEngine
from reelrank.app.engines.server.events.event_store import ServerEvents
from reelrank.index_mappings.engine import TextMatch
from reelrank.index_mappings.errors import EngineError, Partial, Throttled, Unavailable
from reelrank.index_mappings.event import Event
from reelrank.index_mappings.item import Document, Item
from tests.servers.node import Node, wait_until
from tests.servers.server import Server, require_startable

pytestmark = [pytest.mark.slow, pytest.mark.servers]
SOON, CONCURRENT_SEARCHES, REPORT_S = 5.0, 64, 15.0
TWO_SHARDS = Layout("shards-", shards=2, replicas="0")
FILMS = [
    Document(Item(f"f{n}", f"Alien {n}"), {"factors": np.eye(64, dtype=np.float32)[0]}) for n in range(40)
]
TEXT = TextMatch("bm25", "alien", 100)


@pytest.fixture(scope="module", params=["elasticsearch-9", "opensearch-3"])
def node(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node that searches one shard at a time, queues four and refuses more."""
    kind = require_startable(request.param)
    narrow = ("thread_pool.search.size=1", "thread_pool.search.queue_size=4")
    started = Node(kind, Path(tmp_path_factory.mktemp(kind)), "discovery.type=single-node", *narrow).wait()
    yield started
    started.stop()


@pytest.fixture
def engine(node: Node) -> Iterator[ServerEngine]:
    server = Server(node.kind, node.url)
    opened = server.build_engine(server.open_cluster(), TWO_SHARDS)
    yield opened
    opened.close()


def load(engine: ServerEngine, version: str) -> None:
    engine.create_index(version)
    assert engine.write(version, FILMS).written == len(FILMS)
    engine.promote(version)


def count_found(engine: ServerEngine) -> int:
    return len(engine.match_text(TEXT, SOON).ids)


def describe_search(engine: ServerEngine) -> str:
    try:
        return f"{count_found(engine)} found"
    except EngineError as error:
        return str(error)


def test_a_full_search_queue_is_throttled_or_partial_and_recovers(
    engine: ServerEngine,
) -> None:
    load(engine, "items-1")
    outcomes = list[str]()
    gate = threading.Barrier(CONCURRENT_SEARCHES)

    def request() -> None:
        gate.wait()
        try:
            outcomes.append(f"{count_found(engine)} found")
        except EngineError as error:
            outcomes.append(type(error).__name__)

    clients = [threading.Thread(target=request) for _ in range(CONCURRENT_SEARCHES)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    answers = Counter(outcomes)
    refused = answers[Throttled.__name__] + answers[Partial.__name__]
    assert refused > 0
    assert answers[f"{len(FILMS)} found"] == CONCURRENT_SEARCHES - refused, answers
    assert wait_until(lambda: describe_search(engine) == f"{len(FILMS)} found")


def lose_shards(node: Node, engine: ServerEngine, *shards: tuple[str, int]) -> None:
    """Removes the files of shards, given as index or data stream and shard number."""
    folders = list[Path]()
    for target, number in shards:
        (settings,) = engine.cluster.request_or_raise("GET", f"/{target}/_settings/index.uuid").values()
        folders.append(node.find_shard_directory(settings["settings"]["index"]["uuid"], number))
    node.stop(keep_data=True)
    for folder in folders:
        shutil.rmtree(folder)
    node.restart().wait(status="red")


def test_a_lost_shard_is_reported_until_another_version_serves(node: Node, engine: ServerEngine) -> None:
    for version in ("items-2", "items-3"):
        load(engine, version)
    events = ServerEvents(engine.cluster, "shards-events", refresh_ms=200)
    events.append([Event("e1", "watch", "u1", 1, "f1")])
    lose_shards(node, engine, (engine.layout.index_name("items-3"), 1), ("shards-events", 0))
    assert wait_until(lambda: "1 of 2 shards" in describe_search(engine), 30), describe_search(engine)
    with pytest.raises(Partial) as error:
        count_found(engine)
    assert 0 < len(error.value.partial_result) < len(FILMS)
    assert engine.is_ready()
    assert_reported_soon("1 of 2 shards of shards-items-3", lambda: list(engine.scan("items-3")))
    assert_reported_soon("1 of 1 shards of .*shards-events", lambda: events.follow(None))
    assert_reported_soon("search of shards-events", lambda: list(events.scan(0, 2**62)))
    assert {"items-2", "items-3"} <= {version.name for version in engine.versions()}
    engine.promote("items-2")
    assert count_found(engine) == len(FILMS)
    load(engine, "items-4")
    assert count_found(engine) == len(FILMS)


def assert_reported_soon(message: str, read: Callable[[], object]) -> None:
    """Assert that a full read fails quickly instead of returning a part."""
    started = time.monotonic()
    with pytest.raises(Unavailable, match=message):
        read()
    assert time.monotonic() - started < REPORT_S
