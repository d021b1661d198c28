"""Requests that a server refuses, and unexpected indices: engine errors that say what to do."""

import copy
from collections.abc import Iterator

import numpy as np
import pytest

from reelrank.app.engines.server.engine import ServerEngine
from reelrank.app.engines.server.events.event_store import ServerEvents
from reelrank.app.engines.server.transport.access import Access
from reelrank.index_mappings.engine import TextMatch, VectorMatch
from reelrank.index_mappings.errors import BadRequest, Unavailable
from reelrank.index_mappings.event import Event
from reelrank.index_mappings.item import Document, Item
from tests.raised import raises_code
from tests.servers.proxy import Guard, Proxy
from tests.servers.server import CLUSTERS, Server, build_kind_params

pytestmark = pytest.mark.parametrize(
    "server", build_kind_params("elasticsearch-9", "opensearch-3"), indirect=True
)
SOON = 5.0
ALIEN = Document(Item("alien", "Alien"), {"factors": np.eye(64, dtype=np.float32)[0]})
TEXT = TextMatch("bm25", "alien", 10)
NEAR = VectorMatch("knn", "factors", np.eye(64, dtype=np.float32)[0], 10)
RIGHT = Access(username="reader", password="sesame")
JSON_401 = (
    b'{"error":{"type":"security_exception","reason":"unable to authenticate user [reader]"},"status":401}'
)
JSON_403 = b'{"error":{"type":"security_exception","reason":"action [x] is unauthorized"},"status":403}'
REFUSALS = {
    "401 in JSON": (b"401 Unauthorized", b"application/json", JSON_401),
    "401 in plain text": (b"401 Unauthorized", b"text/plain; charset=UTF-8", b"Unauthorized"),
    "403": (b"403 Forbidden", b"application/json", JSON_403),
}
"""Responses of the security plugins of Elasticsearch and OpenSearch, which the test servers lack."""


def load_alien(engine: ServerEngine) -> ServerEngine:
    engine.create_index("items-1")
    engine.write("items-1", [ALIEN])
    engine.promote("items-1")
    return engine


@pytest.fixture(params=REFUSALS)
def guarded(server: Server, request: pytest.FixtureRequest) -> Iterator[Proxy]:
    status, kind, body = REFUSALS[request.param]
    head = b"HTTP/1.1 %s\r\ncontent-type: %s\r\ncontent-length: %d\r\n\r\n"
    proxy = Proxy(int(server.url.rpartition(":")[2]))
    proxy.guard = Guard(RIGHT.build_headers()["authorization"], head % (status, kind, len(body)) + body)
    yield proxy
    proxy.stop()


def test_wrong_credentials_name_the_settings_but_not_the_password(
    server: Server, engine: ServerEngine, prefix: str, guarded: Proxy
) -> None:
    load_alien(engine)
    wrong = CLUSTERS[server.product](Access((guarded.url,), "reader", "hunter2"))
    refused = server.build_engine(wrong, engine.layout)
    events = ServerEvents(wrong, f"{prefix}events", refresh_ms=200)
    for request in (
        lambda: refused.match_text(TEXT, SOON),
        lambda: refused.fetch(["alien"], SOON),
        lambda: refused.upsert([ALIEN]),
        lambda: refused.create_index("items-2"),
        lambda: events.append([Event("1", "watch", "ada", 5, "alien")]),
        lambda: events.recent("ada", 10, SOON),
    ):
        with raises_code(Unavailable, "engine_access_denied") as error:
            request()
        assert "hunter2" not in str(error.value)
    assert not refused.is_ready()
    right = server.build_engine(
        CLUSTERS[server.product](Access((guarded.url,), "reader", "sesame")), engine.layout
    )
    assert right.is_ready()
    assert len(right.match_text(TEXT, SOON).ids) == 1
    wrong.close()
    right.close()


def test_a_deleted_index_is_unavailable_until_the_next_load(engine: ServerEngine) -> None:
    load_alien(engine)
    engine.cluster.request_or_raise("DELETE", f"/{engine.layout.index_name('items-1')}")
    for request in (
        lambda: engine.match_text(TEXT, SOON),
        lambda: engine.match_vector(NEAR, SOON),
        lambda: engine.fetch(["alien"], SOON),
        lambda: engine.upsert([ALIEN]),
        lambda: engine.delete(["alien"]),
    ):
        with raises_code(Unavailable, "no_index_version"):
            request()
    assert not engine.is_ready()
    assert (engine.serving_version(), engine.versions()) == (None, [])
    assert load_alien(engine).fetch(["alien"], SOON) == [ALIEN.item]
    assert engine.upsert([ALIEN]).written == 1


def test_an_alias_on_an_external_index_is_reported(engine: ServerEngine) -> None:
    external = f"{engine.layout.prefix}external"
    engine.cluster.request_or_raise("PUT", f"/{external}", {"aliases": {engine.layout.alias: {}}})
    engine.cluster.request_or_raise(
        "PUT", f"/{external}/_doc/1", {"words": {"title": "alien"}}, refresh="true"
    )
    with raises_code(Unavailable, "foreign_alias"):
        engine.serving_version()
    with raises_code(Unavailable, "item_ids_missing"):
        engine.match_text(TEXT, SOON)
    with raises_code(Unavailable, "foreign_alias"):
        engine.upsert([ALIEN])


def test_a_version_with_other_vector_sizes_still_answers_text(server: Server, engine: ServerEngine) -> None:
    other = server.build_engine(engine.cluster, engine.layout)
    body = copy.deepcopy(dict(other.dialect.build_items_index()))
    size = "dims" if server.product == "elasticsearch" else "dimension"
    body["mappings"]["properties"]["factors_vector"][size] = 3
    other.index_versions.body = body
    other.create_index("items-1")
    assert other.write("items-1", [Document(ALIEN.item)]).written == 1
    other.promote("items-1")
    assert len(engine.match_text(TEXT, SOON).ids) == 1
    with pytest.raises(BadRequest) as refused:
        engine.match_vector(NEAR, SOON)
    assert "dimension" in refused.value.cause
    assert "dimension" not in str(refused.value)
    (rejection,) = engine.upsert([ALIEN]).rejected
    assert "factors_vector" in rejection.reason
