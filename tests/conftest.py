"""Options of the whole suite, and the real servers that some of its tests need."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from reelrank_command import WAIT_POLICY
from tests.servers.node import KINDS, OWN_URLS, Node
from tests.servers.server import Server, require_startable
from tests.servers.three_nodes import ELASTICSEARCH, KINDS_OF_THREE, start_three_nodes


def pytest_configure() -> None:
    os.environ.setdefault(*WAIT_POLICY)  # the suite trains models as the command does


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--renew", action="store_true", help="rewrite golden files and tested pages")
    parser.addoption(
        "--journeys-on",
        default=ELASTICSEARCH,
        choices=[*KINDS, *KINDS_OF_THREE],
        help="server, or cluster of three, that journeys are taken on, too",
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
    if kind == f"{product}-own":
        yield Server(kind, os.environ[OWN_URLS[product]])
        return
    home = Path(tmp_path_factory.mktemp(kind))
    if kind in KINDS_OF_THREE:
        nodes = start_three_nodes(require_startable(KINDS_OF_THREE[kind]), home)
        yield Server(kind, ",".join(node.url for node in nodes), nodes)
    else:
        nodes = (Node(require_startable(kind), home).wait(),)
        yield Server(kind, nodes[0].url)
    for node in nodes:
        node.stop()
