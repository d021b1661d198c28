"""One real service for all journeys over HTTP, and one with more films for those in a browser.

Each of those is taken twice: with the house on the embedded engine, and on a real server (--journeys-on).
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser

from app.wiring import Parts
from index_mappings.item import Item
from tests.browser import Visitors, chromium
from tests.served import Served, serve_house
from tests.servers.server import Ground, Server, kinds, new_prefix, remove
from tests.small_house import add_model, build_house

HOSTILE_TITLE = "<script>alert('x')</script> & \"quotes\""
LONG_TITLE = "Donaudampfschifffahrtsgesellschaftskapitänswitwe, or How the Longest Words Fit a Poster"
ODD_FILMS = (
    Item("odd1", HOSTILE_TITLE, description="<b>bold</b>", genres=("Drama", "<i>odd</i>")),
    Item("odd/2?a=b&c#d", LONG_TITLE, genres=("War",), duration_s=9000),
)
VOYAGES = [
    Item(
        f"voyage{n}", f"Voyage {n}", description="A journey in one act.",
        genres=(("Drama", "Horror", "Comedy")[n % 3],), people=(f"Ada Director {n % 5}",),
        language=("English", "French")[n % 2], country=("USA", "France", "Japan")[n % 3],
        published_at=datetime(1950 + n, 5, 1, tzinfo=UTC), duration_s=3600 + 240 * n,
    )
    for n in range(40)
]  # fmt: skip


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "server" in metafunc.fixturenames:
        grounds = ["embedded", *kinds(metafunc.config.getoption("--journeys-on"))]
        metafunc.parametrize("server", grounds, indirect=True, scope="session")


@pytest.fixture(scope="session")
def ground(server: Server | None) -> Iterator[Ground]:
    """Where houses are built: in the folder they are given alone, or on the server."""
    prefixes = list[str]()

    def place() -> Mapping[str, str]:
        if server is None:
            return {}
        prefixes.append(new_prefix())
        return server.settings(prefixes[-1])

    yield place
    if server is not None:
        cluster = server.cluster()
        for prefix in prefixes:
            remove(cluster, prefix)
        cluster.close()


@pytest.fixture(scope="session")
def parts(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> Parts:
    """With two models, of which `first` serves."""
    parts = build_house(tmp_path_factory.mktemp("house") / "data", datetime.now(UTC), on=ground())
    for seed, name in enumerate(("first", "second")):
        add_model(parts, name, seed)
    parts.registry.promote("first", lambda directory: directory)
    return parts


@pytest.fixture(scope="session")
def service(parts: Parts) -> Iterator[Served]:
    served = serve_house(parts.settings, log_share=1.0)
    yield served
    served.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="session")
def cinema(browser: Browser, ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The small house and 42 more films, with a model. Not built where there is no browser."""
    place = tmp_path_factory.mktemp("cinema") / "data"
    parts = build_house(place, datetime.now(UTC), [*VOYAGES, *ODD_FILMS], ground())
    add_model(parts, "first", 0)
    parts.registry.promote("first", lambda directory: directory)
    served = serve_house(parts.settings)
    yield served
    served.stop()


@pytest.fixture
def visitors(browser: Browser, cinema: Served) -> Iterator[Visitors]:
    """At the end nothing may have gone wrong in any of their browsers."""
    visitors = Visitors(browser, cinema.url)
    yield visitors
    visitors.leave()
    assert visitors.complaints == []
