"""Servers read the clock only five times a second; quick searches must not time out because of it."""

import time

import pytest

from reelrank.app.engines.server.engine import ServerEngine
from reelrank.app.engines.server.transport.cluster import Cluster
from reelrank.index_mappings.errors import Timeout
from reelrank.index_mappings.item import Document, Item
from tests.servers.server import build_kind_params

pytestmark = pytest.mark.parametrize(
    "server", build_kind_params("elasticsearch-8", "elasticsearch-9"), indirect=True
)
FILMS, ASKED_S, DEADLINE_S = 20_000, 10.0, 0.15
BODY = {"query": {"match": {"words.title": "film"}}, "size": 1, "sort": ["id"], "track_total_hits": True}


def test_no_search_is_aborted_before_its_deadline(engine: ServerEngine, cluster: Cluster) -> None:
    engine.create_index("items-1")
    engine.write("items-1", [Document(Item(f"f{n}", f"Film {n}")) for n in range(FILMS)])
    engine.promote("items-1")
    early, answered, until = list[str](), 0, time.monotonic() + ASKED_S
    while (started := time.monotonic()) < until:
        try:
            cluster.search(engine.layout.alias, BODY, DEADLINE_S)
            answered += 1
        except Timeout as error:
            if time.monotonic() - started < DEADLINE_S:
                early.append(str(error))
    assert answered > 0
    assert early == []
