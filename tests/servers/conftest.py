"""Fixtures of the tests on servers; each test has its own index prefix."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from reelrank.app.engines.server.documents.versions import Layout
from reelrank.app.engines.server.engine import ServerEngine
from reelrank.app.engines.server.events.event_store import ServerEvents
from reelrank.app.engines.server.transport.cluster import Cluster
from tests.servers.node import Node
from tests.servers.server import Server, create_prefix, remove_indices, require_startable


@pytest.fixture(scope="module", params=["elasticsearch-9", "opensearch-3"])
def node(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node per test module, which tests may stop and damage."""
    kind = require_startable(request.param)
    started = Node(kind, Path(tmp_path_factory.mktemp(kind))).wait()
    yield started
    started.stop()


@pytest.fixture
def cluster(server: Server) -> Iterator[Cluster]:
    opened = server.open_cluster()
    yield opened
    opened.close()


@pytest.fixture
def prefix(cluster: Cluster) -> Iterator[str]:
    unique = create_prefix()
    yield unique
    remove_indices(cluster, unique)


@pytest.fixture
def engine(server: Server, cluster: Cluster, prefix: str) -> ServerEngine:
    return server.build_engine(cluster, Layout(prefix))


@pytest.fixture
def events(cluster: Cluster, prefix: str) -> ServerEvents:
    return ServerEvents(cluster, f"{prefix}events", refresh_ms=200)
