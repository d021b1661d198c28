"""Engines under contract: the embedded one in a folder, or indices of their own on a server."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reelrank.app.engines.embedded.engine import EmbeddedEngine
from reelrank.app.engines.server.documents.versions import Layout
from reelrank.index_mappings.engine import SearchEngine
from tests.servers.server import Server, create_prefix, remove_indices


@contextmanager
def open_engine(server: Server | None, home: Path) -> Iterator[SearchEngine]:
    """Opens an empty engine: on the server if there is one, else embedded in `home`. Removes its indices."""
    if server is None:
        embedded = EmbeddedEngine(home)
        yield embedded
        embedded.close()
        return
    prefix, cluster = create_prefix(), server.open_cluster()
    yield server.build_engine(cluster, Layout(prefix))
    remove_indices(cluster, prefix)
    cluster.close()
