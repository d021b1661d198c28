"""Bulk writes to servers that throttle: throttled documents are retried, and none is lost."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from reelrank.app.engines.server.engine import ServerEngine
from reelrank.app.engines.server.transport.bulk import BulkAction, BulkWriter
from reelrank.app.engines.server.transport.cluster import Cluster
from reelrank.index_mappings.errors import Throttled
from reelrank.index_mappings.item import Document, Item
from tests.servers.node import KINDS, Node
from tests.servers.server import Server, build_kind_params, require_startable

DOCUMENTS = 2000


@pytest.fixture(scope="module", params=KINDS)
def narrow(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A node that accepts at most 300 kB of writes at once and answers more with 429."""
    kind = require_startable(request.param)
    limits = ("discovery.type=single-node", "indexing_pressure.memory.limit=300kb")
    node = Node(kind, Path(tmp_path_factory.mktemp(kind)), *limits).wait()
    yield Server(kind, node.url).open_cluster()
    node.stop()


def build_actions() -> list[BulkAction]:
    return [BulkAction("index", f"d{n}", {"text": "word " * 200, "number": n}) for n in range(DOCUMENTS)]


@pytest.mark.slow
@pytest.mark.servers
def test_a_throttling_server_gets_every_document_in_smaller_chunks(narrow: Cluster) -> None:
    pauses = list[float]()
    bulk = BulkWriter(narrow, "throttled-events", sleep=pauses.append)
    narrow.request_or_raise("PUT", "/throttled-events")
    results = bulk.write(build_actions())
    assert all(result.succeeded for result in results)
    narrow.request_or_raise("POST", "/throttled-events/_refresh")
    assert narrow.request_or_raise("GET", "/throttled-events/_count")["count"] == DOCUMENTS
    assert bulk.throttled > 0
    assert bulk.chunk_bytes < 300_000


@pytest.mark.slow
@pytest.mark.servers
def test_a_write_that_is_never_accepted_raises_throttled(narrow: Cluster) -> None:
    narrow.request("PUT", "/stuffed-events")
    whole = BulkAction("index", "large", {"text": "word " * 200_000})
    with pytest.raises(Throttled):
        BulkWriter(narrow, "stuffed-events", max_stall_s=0.5).write([whole])


@pytest.mark.parametrize("server", build_kind_params(), indirect=True)
def test_a_document_rejected_by_the_server_is_reported_with_a_reason(
    engine: ServerEngine,
) -> None:
    engine.create_index("items-1")
    long = Document(Item("long", "Film", duration_s=2**40))
    report = engine.write("items-1", [Document(Item("a", "A")), long, Document(Item("b", "B"))])
    assert report.written == 2
    assert [rejection.id for rejection in report.rejected] == ["long"]
    assert "duration_s" in report.rejected[0].reason
