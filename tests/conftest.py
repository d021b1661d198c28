"""Options of the whole suite, and the real servers that some of its tests need."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.node import KINDS, OWN_URLS, Node
from tests.servers.server import Server, startable


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--renew", action="store_true", help="rewrite golden files and tested pages")
    parser.addoption(
        "--journeys-on",
        default="elasticsearch-9",
        choices=KINDS,
        help="server that journeys are taken on, too",
    )


@pytest.fixture(scope="session")
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server | None]:
    """One server for all tests of its kind, which stand together; None for the embedded engine.

    REQUIRE_ENGINES=1: none may be missing.
    """
    kind: str = request.param
    if kind == "embedded":
        yield None
        return
    product = kind.split("-", maxsplit=1)[0]
    if kind not in KINDS:
        yield Server(kind, os.environ[OWN_URLS[product]])
        return
    node = Node(startable(kind), Path(tmp_path_factory.mktemp(kind))).wait()
    yield Server(kind, node.url)
    node.stop()
