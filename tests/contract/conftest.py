"""The engines that must fulfil the contract: the embedded one, and every server that is there."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.engines.embedded.engine import EmbeddedEngine
from app.engines.embedded.events import EmbeddedEvents
from app.engines.server.events import ServerEvents
from app.engines.server.versions import Layout
from index_mappings.engine import EventStore, SearchEngine
from tests.servers.server import Server, kinds, new_prefix, remove


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "server" in metafunc.fixturenames:
        metafunc.parametrize("server", ["embedded", *kinds()], indirect=True)


@pytest.fixture
def engine(server: Server | None, tmp_path: Path) -> Iterator[SearchEngine]:
    if server is None:
        embedded = EmbeddedEngine(tmp_path)
        yield embedded
        embedded.close()
        return
    prefix, cluster = new_prefix(), server.cluster()
    yield server.engine(cluster, Layout(prefix))
    remove(cluster, prefix)
    cluster.close()


@pytest.fixture
def events(server: Server | None, tmp_path: Path) -> Iterator[EventStore]:
    if server is None:
        yield EmbeddedEvents(tmp_path)
        return
    prefix, cluster = new_prefix(), server.cluster()
    yield ServerEvents(cluster, f"{prefix}events", refresh_ms=200)
    remove(cluster, prefix)
    cluster.close()
