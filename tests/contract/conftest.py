"""The engines under contract: the embedded engine, and every server that can be started."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from reelrank.app.engines.embedded.store.events import EmbeddedEvents
from reelrank.app.engines.server.events.event_store import ServerEvents
from reelrank.index_mappings.engine import SearchEngine
from reelrank.index_mappings.event_store import EventStore
from tests.contract.engines import open_engine
from tests.contract.films import FILMS, load
from tests.servers.server import Server, build_kind_params, create_prefix, remove_indices


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "server" in metafunc.fixturenames:
        metafunc.parametrize("server", ["embedded", *build_kind_params()], indirect=True)


@pytest.fixture
def engine(server: Server | None, tmp_path: Path) -> Iterator[SearchEngine]:
    with open_engine(server, tmp_path) as opened:
        yield opened


@pytest.fixture
def films(engine: SearchEngine) -> SearchEngine:
    """An engine that serves FILMS."""
    load(engine, "items-1", FILMS)
    return engine


@pytest.fixture
def events(server: Server | None, tmp_path: Path) -> Iterator[EventStore]:
    if server is None:
        yield EmbeddedEvents(tmp_path)
        return
    prefix, cluster = create_prefix(), server.open_cluster()
    yield ServerEvents(cluster, f"{prefix}events", refresh_ms=200)
    remove_indices(cluster, prefix)
    cluster.close()
