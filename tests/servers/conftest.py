"""What tests of the server adapters alone work with; each test has names of its own on the server."""

from collections.abc import Iterator

import pytest

from app.engines.server.cluster import Cluster
from app.engines.server.engine import ServerEngine
from app.engines.server.events import ServerEvents
from app.engines.server.versions import Layout
from tests.servers.server import Server, new_prefix, remove


@pytest.fixture
def cluster(server: Server) -> Iterator[Cluster]:
    opened = server.cluster()
    yield opened
    opened.close()


@pytest.fixture
def prefix(cluster: Cluster) -> Iterator[str]:
    own = new_prefix()
    yield own
    remove(cluster, own)


@pytest.fixture
def engine(server: Server, cluster: Cluster, prefix: str) -> ServerEngine:
    return server.engine(cluster, Layout(prefix))


@pytest.fixture
def events(cluster: Cluster, prefix: str) -> ServerEvents:
    return ServerEvents(cluster, f"{prefix}events", refresh_ms=200)
