"""A server that is paused, killed or behind a bad connection: an engine error in time, and recovery."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reelrank.app.engines.server.documents.versions import Layout
from reelrank.app.engines.server.engine import ServerEngine
from reelrank.app.engines.server.events.event_store import ServerEvents
from reelrank.index_mappings.engine import TextMatch
from reelrank.index_mappings.errors import EngineError, Timeout, Unavailable
from reelrank.index_mappings.event import Event
from reelrank.index_mappings.item import Document, Item
from tests.servers.node import Node, wait_until
from tests.servers.proxy import Mode, Proxy
from tests.servers.server import Server, require_startable

pytestmark = [pytest.mark.slow, pytest.mark.servers]
TIMEOUT_S = 0.5
LATE_S = 1.2 * TIMEOUT_S + 0.2  # a fifth more, and time for a busy machine to wake a thread
LAYOUT = Layout("faults-")


@pytest.fixture(scope="module", params=["elasticsearch-9", "opensearch-3"])
def node(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    kind = require_startable(request.param)
    started = Node(kind, Path(tmp_path_factory.mktemp(kind))).wait()
    engine = build_engine(started, started.url)
    engine.create_index("items-1")
    engine.write("items-1", [Document(Item("alien", "Alien"))])
    engine.promote("items-1")
    engine.close()
    yield started
    started.stop()


@pytest.fixture
def engine(node: Node) -> Iterator[ServerEngine]:
    opened = build_engine(node, node.url)
    yield opened
    opened.close()


def build_engine(node: Node, url: str) -> ServerEngine:
    server = Server(node.kind, url)
    return server.build_engine(server.open_cluster(), LAYOUT)


def search_ids(engine: ServerEngine, timeout_s: float = TIMEOUT_S) -> list[str]:
    return [i.decode() for i in engine.match_text(TextMatch("bm25", "alien", 10), timeout_s).ids.tolist()]


def time_refusal(engine: ServerEngine) -> tuple[EngineError, float]:
    """Returns the error of a search and the seconds until it was raised."""
    started = time.monotonic()
    with pytest.raises(EngineError) as error:
        search_ids(engine)
    return error.value, time.monotonic() - started


def test_a_paused_node_is_a_timeout_and_recovers(node: Node, engine: ServerEngine) -> None:
    assert search_ids(engine, 10.0) == ["alien"]
    node.pause()
    error, seconds = time_refusal(engine)
    ready = engine.is_ready()
    started, events = time.monotonic(), ServerEvents(engine.cluster, "faults-events", refresh_ms=200)
    with pytest.raises(Timeout):
        events.append([Event("0", "watch", "bob", 5, "alien")], TIMEOUT_S)
    assert time.monotonic() - started < LATE_S
    node.resume()
    assert isinstance(error, Timeout)
    assert seconds < LATE_S
    assert not ready
    assert wait_until(engine.is_ready)
    assert search_ids(engine, 10.0) == ["alien"]


def test_acknowledged_writes_survive_a_killed_node(node: Node, engine: ServerEngine) -> None:
    events = ServerEvents(engine.cluster, "faults-events", refresh_ms=200)
    event = Event("1", "watch", "ada", 5, "alien")
    events.append([event])
    engine.upsert([Document(Item("aliens", "Aliens"))])
    node.kill()
    error, seconds = time_refusal(engine)
    assert isinstance(error, Unavailable)
    assert seconds < LATE_S
    node.restart().wait()
    assert wait_until(engine.is_ready)
    assert sorted(search_ids(engine, 10.0)) == ["alien", "aliens"]
    assert events.recent("ada", 10, 10.0) == [event]
    engine.delete(["aliens"])


@pytest.mark.parametrize(
    ("mode", "kind"),
    [("delay", Timeout), ("trickle", Timeout), ("reset", Unavailable), ("truncate", EngineError)],
)
def test_a_bad_connection_is_an_engine_error_in_time_and_recovers(
    node: Node, mode: Mode, kind: type[EngineError]
) -> None:
    proxy = Proxy(node.port)
    engine = build_engine(node, proxy.url)
    assert search_ids(engine, 10.0) == ["alien"]
    proxy.mode = mode
    error, seconds = time_refusal(engine)
    proxy.mode = "pass"
    assert isinstance(error, kind)
    assert seconds < LATE_S
    assert wait_until(engine.is_ready)
    assert search_ids(engine, 10.0) == ["alien"]
    engine.close()
    proxy.stop()
