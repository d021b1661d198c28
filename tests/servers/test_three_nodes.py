"""The loss of a node of three, where the journeys were taken before: three shards with a replica each."""

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.engines.server.engine import ServerEngine
from app.wiring import Parts
from index_mappings.item import Document, Item
from loaders.catalogue import LoadOptions, load_catalogue
from tests.served import Answer, Clients, Served, serve_house
from tests.servers.node import Node, in_the_end
from tests.servers.server import Server, kinds
from tests.servers.three_nodes import ELASTICSEARCH, NODES
from tests.servers.told import degraded_pages, in_events, is_whole, wanted
from tests.small_house import FILMS, add_model, build_house

pytestmark = pytest.mark.parametrize("server", kinds(ELASTICSEARCH), indirect=True)


@pytest.fixture
def nodes(server: Server) -> tuple[Node, ...]:
    return server.nodes


@pytest.fixture
def parts(server: Server, prefix: str, tmp_path: Path) -> Parts:
    parts = build_house(tmp_path / "data", datetime.now(UTC), on=server.settings(prefix))
    parts.registry.promote(add_model(parts, "first", 0), lambda directory: directory)
    return parts


@pytest.fixture
def service(parts: Parts) -> Iterator[Served]:
    served = serve_house(parts.settings, deadline_ms=2000)
    yield served
    served.stop()


def shown(service: Served, words: str) -> list[str]:
    hits = service.get(f"/v1/search?q={words}&genre=Sea").json.get("hits", [])
    return [hit["title"] for hit in hits if words in hit["title"]]


def elected_of(nodes: tuple[Node, ...], parts: Parts) -> Node:
    """The node that decides for the cluster: the worst to lose."""
    engine = parts.engine
    assert isinstance(engine, ServerEngine)
    state = engine.cluster.demand("GET", "/_cluster/state/master_node,nodes")
    name = state["nodes"][state["master_node"]]["name"]
    return nodes[int(name.removeprefix("node-"))]


class Audience(Clients):
    """They search, ask for recommendations and post events; answers and acknowledged events are kept."""

    def __init__(self, service: Served) -> None:
        super().__init__(service, 3)
        self.answers = list[Answer]()
        self.acknowledged = set[str]()
        self._numbers = itertools.count()

    def ask(self, number: int) -> None:
        self.answers.append(self.service.get(f"/v1/search?q=story&user=u{number}&limit=5"))
        self.answers.append(self.service.get(f"/v1/recommendations?user=u{number}&limit=5"))
        event = {"id": f"e{next(self._numbers)}", "kind": "watch", "user": f"w{number}", "item": "sea1"}
        if self.service.post("/v1/events", event).json.get("stored"):
            self.acknowledged.add(event["id"])


def test_a_node_killed_of_three_costs_no_acknowledged_event_and_whole_pages_come_back_by_themselves(
    nodes: tuple[Node, ...], parts: Parts, service: Served
) -> None:
    assert in_the_end(lambda: is_whole(service.get("/v1/search?q=story&user=u1")))
    with Audience(service) as clients:
        assert in_the_end(lambda: len(clients.answers) > 30)
        elected = elected_of(nodes, parts)
        elected.kill()
        asked = len(clients.answers)
        assert in_the_end(lambda: len(clients.answers) > asked + 60)
    assert {answer.status for answer in clients.answers} <= {200, 503, 504}
    lacking = [answer for answer in clients.answers if not is_whole(answer)]
    assert all(is_whole(answer) for answer in clients.answers[-20:]), [a.body for a in lacking[-3:]]
    assert degraded_pages(service) >= sum(answer.status == 200 for answer in lacking)
    for answer in lacking[-10:]:
        assert in_the_end(lambda: in_events(parts.events, answer) == wanted(answer), 20), answer.body  # noqa: B023
    assert parts.engine.upsert([Document(Item("sea1", "Sea story renamed"))]).written == 1
    stored = {name for batch in parts.events.scan(0, 2**62) for name in batch.column("id").to_pylist()}
    assert clients.acknowledged
    assert clients.acknowledged <= stored
    load_catalogue(FILMS, parts.engine, parts.encoder, LoadOptions())
    assert in_the_end(lambda: shown(service, "renamed") == [] and len(shown(service, "story")) > 0)
    elected.restart().wait(nodes=NODES)
    assert in_the_end(lambda: is_whole(service.get("/v1/search?q=story&user=u1")))
