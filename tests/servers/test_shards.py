"""A server short of something: a shard that is lost, a queue that is full."""

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
SOON, ASKED_AT_ONCE, TOLD_S = 5.0, 64, 15.0
TWO_SHARDS = Layout("shards-", shards=2, replicas="0")
FILMS = [
    Document(Item(f"f{n}", f"Alien {n}"), {"factors": np.eye(64, dtype=np.float32)[0]}) for n in range(40)
]
TEXT = TextMatch("bm25", "alien", 100)


@pytest.fixture(scope="module", params=["elasticsearch-9", "opensearch-3"])
def node(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """One shard is searched at a time, four wait: the next is refused."""
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


def read_complaint(engine: ServerEngine) -> str:
    try:
        return f"{count_found(engine)} found"
    except EngineError as error:
        return str(error)


def test_a_full_search_queue_is_throttled_or_partial_and_answers_again_when_it_is_empty(
    engine: ServerEngine,
) -> None:
    load(engine, "items-1")
    told = list[str]()
    gate = threading.Barrier(ASKED_AT_ONCE)

    def ask() -> None:
        gate.wait()
        try:
            told.append(f"{count_found(engine)} found")
        except EngineError as error:
            told.append(type(error).__name__)

    askers = [threading.Thread(target=ask) for _ in range(ASKED_AT_ONCE)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    answers = Counter(told)
    refused = answers[Throttled.__name__] + answers[Partial.__name__]
    assert refused > 0
    assert answers[f"{len(FILMS)} found"] == ASKED_AT_ONCE - refused, answers
    assert wait_until(lambda: read_complaint(engine) == f"{len(FILMS)} found")


def lose_shards(node: Node, engine: ServerEngine, *shards: tuple[str, int]) -> None:
    """Of an index or data stream, a shard by number."""
    folders = list[Path]()
    for target, number in shards:
        (settings,) = engine.cluster.request_or_raise("GET", f"/{target}/_settings/index.uuid").values()
        folders.append(node.find_shard_directory(settings["settings"]["index"]["uuid"], number))
    node.stop(keep_data=True)
    for folder in folders:
        shutil.rmtree(folder)
    node.restart().wait(status="red")


def test_a_lost_shard_leaves_searches_partial_is_told_soon_and_mended_by_another_version(
    node: Node, engine: ServerEngine
) -> None:
    for version in ("items-2", "items-3"):
        load(engine, version)
    events = ServerEvents(engine.cluster, "shards-events", refresh_ms=200)
    events.append([Event("e1", "watch", "u1", 1, "f1")])
    lose_shards(node, engine, (engine.layout.index_name("items-3"), 1), ("shards-events", 0))
    assert wait_until(lambda: "1 of 2 shards" in read_complaint(engine), 30), read_complaint(engine)
    with pytest.raises(Partial) as lacking:
        count_found(engine)
    assert 0 < len(lacking.value.partial_result) < len(FILMS)
    assert engine.is_ready()
    assert_reported_soon("1 of 2 shards of shards-items-3", lambda: list(engine.scan("items-3")))
    assert_reported_soon("1 of 1 shards of .*shards-events", lambda: events.follow(None))
    assert_reported_soon("search of shards-events", lambda: list(events.scan(0, 2**62)))
    assert {"items-2", "items-3"} <= {each.name for each in engine.versions()}
    engine.promote("items-2")
    assert count_found(engine) == len(FILMS)
    load(engine, "items-4")
    assert count_found(engine) == len(FILMS)


def assert_reported_soon(message: str, read: Callable[[], object]) -> None:
    """Of whoever reads all that is there, and must not take a part for the whole."""
    began = time.monotonic()
    with pytest.raises(Unavailable, match=message):
        read()
    assert time.monotonic() - began < TOLD_S
