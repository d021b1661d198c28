"""The loss of one of three nodes, with three shards and one replica each."""

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reelrank.app.engines.server.engine import ServerEngine
from reelrank.app.wiring import Container, build_release_manager
from reelrank.index_mappings.item import Document, Item
from reelrank.loaders.items.catalogue import LoadOptions, load_catalogue
from tests.running_service import Answer, Clients, ServiceProcess, start_project_service
from tests.sample_project import FILMS, add_model, build_project
from tests.servers.log_capture import count_degraded_pages, expect_warnings, is_complete, read_event_warnings
from tests.servers.node import Node, wait_until
from tests.servers.server import Server, build_kind_params
from tests.servers.three_nodes import ELASTICSEARCH, NODE_COUNT

pytestmark = pytest.mark.parametrize("server", build_kind_params(ELASTICSEARCH), indirect=True)


@pytest.fixture
def nodes(server: Server) -> tuple[Node, ...]:
    return server.nodes


@pytest.fixture
def parts(server: Server, prefix: str, tmp_path: Path) -> Container:
    parts = build_project(tmp_path / "data", datetime.now(UTC), engine_settings=server.build_settings(prefix))
    build_release_manager(parts).promote_model(add_model(parts, "first", 0))
    return parts


@pytest.fixture
def service(parts: Container) -> Iterator[ServiceProcess]:
    served = start_project_service(parts.settings, deadline_ms=2000)
    yield served
    served.stop()


def search_titles(service: ServiceProcess, text: str) -> list[str]:
    hits = service.get(f"/v1/search?q={text}&genre=Sea").json.get("hits", [])
    return [hit["title"] for hit in hits if text in hit["title"]]


def find_elected_node(nodes: tuple[Node, ...], parts: Container) -> Node:
    """Returns the elected master node: the worst to lose."""
    engine = parts.engine
    assert isinstance(engine, ServerEngine)
    state = engine.cluster.request_or_raise("GET", "/_cluster/state/master_node,nodes")
    name = state["nodes"][state["master_node"]]["name"]
    return nodes[int(name.removeprefix("node-"))]


class Audience(Clients):
    """Clients that search, request recommendations and post events; records answers and stored events."""

    def __init__(self, service: ServiceProcess) -> None:
        super().__init__(service, 3)
        self.answers = list[Answer]()
        self.acknowledged = set[str]()
        self._numbers = itertools.count()

    def send_request(self, number: int) -> None:
        self.answers.append(self.service.get(f"/v1/search?q=story&user=u{number}&limit=5"))
        self.answers.append(self.service.get(f"/v1/recommendations?user=u{number}&limit=5"))
        event = {"id": f"e{next(self._numbers)}", "kind": "watch", "user": f"w{number}", "item": "sea1"}
        if self.service.post("/v1/events", event).json.get("stored"):
            self.acknowledged.add(event["id"])


def test_losing_one_of_three_nodes_loses_no_acknowledged_event(
    nodes: tuple[Node, ...], parts: Container, service: ServiceProcess
) -> None:
    assert wait_until(lambda: is_complete(service.get("/v1/search?q=story&user=u1")))
    with Audience(service) as clients:
        assert wait_until(lambda: len(clients.answers) > 30)
        elected = find_elected_node(nodes, parts)
        elected.kill()
        before = len(clients.answers)
        assert wait_until(lambda: len(clients.answers) > before + 60)
    assert {answer.status for answer in clients.answers} <= {200, 503, 504}
    degraded = [answer for answer in clients.answers if not is_complete(answer)]
    assert all(is_complete(answer) for answer in clients.answers[-20:]), [a.body for a in degraded[-3:]]
    assert count_degraded_pages(service) >= sum(answer.status == 200 for answer in degraded)
    for answer in degraded[-10:]:
        assert wait_until(lambda: read_event_warnings(parts.events, answer) == expect_warnings(answer), 20), (  # noqa: B023
            answer.body
        )
    assert parts.engine.upsert([Document(Item("sea1", "Sea story renamed"))]).written == 1
    stored = {name for batch in parts.events.scan(0, 2**62) for name in batch.column("id").to_pylist()}
    assert clients.acknowledged
    assert clients.acknowledged <= stored
    load_catalogue(FILMS, parts.engine, parts.encoder, LoadOptions(created_at=datetime.now(UTC)))
    assert wait_until(
        lambda: search_titles(service, "renamed") == [] and len(search_titles(service, "story")) > 0
    )
    elected.restart().wait(nodes=NODE_COUNT)
    assert wait_until(lambda: is_complete(service.get("/v1/search?q=story&user=u1")))
