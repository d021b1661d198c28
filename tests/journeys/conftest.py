"""One real service for all journeys over HTTP, and one with more films for those in a browser.

Each journey runs twice: on the embedded engine, and on a real server (--journeys-on). Those of scripts and
templates, marked `any_engine`, run once.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser

from reelrank.app.wiring import Container, build_release_manager
from reelrank.index_mappings.item import Item
from tests.browser import Visitors, launch_chromium
from tests.operator_reports import write_reports
from tests.running_service import ServiceProcess, start_project_service
from tests.sample_project import add_model, build_project
from tests.servers.server import (
    EngineSettingsFactory,
    Server,
    build_kind_params,
    create_prefix,
    remove_indices,
)

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
        languages=(("English", "French")[n % 2],), countries=(("USA", "France", "Japan")[n % 3],),
        published_at=datetime(1950 + n, 5, 1, tzinfo=UTC), duration_s=3600 + 240 * n,
    )
    for n in range(40)
]  # fmt: skip


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "server" in metafunc.fixturenames:
        engines: list[object] = ["embedded"]
        if metafunc.definition.get_closest_marker("any_engine") is None:
            engines += build_kind_params(metafunc.config.getoption("--journeys-on"))
        metafunc.parametrize("server", engines, indirect=True, scope="session")


@pytest.fixture(scope="session")
def ground(server: Server | None) -> Iterator[EngineSettingsFactory]:
    """Allocates engine settings for each project: none for the embedded engine, a prefix on a server."""
    prefixes = list[str]()

    def allocate_settings() -> Mapping[str, str]:
        if server is None:
            return {}
        prefixes.append(create_prefix())
        return server.build_settings(prefixes[-1])

    yield allocate_settings
    if server is not None:
        cluster = server.open_cluster()
        for prefix in prefixes:
            remove_indices(cluster, prefix)
        cluster.close()


@pytest.fixture(scope="session")
def parts(ground: EngineSettingsFactory, tmp_path_factory: pytest.TempPathFactory) -> Container:
    """A project with two models, of which `first` serves."""
    parts = build_project(
        tmp_path_factory.mktemp("project") / "data", datetime.now(UTC), engine_settings=ground()
    )
    for seed, name in enumerate(("first", "second")):
        add_model(parts, name, seed)
    build_release_manager(parts).promote_model("first")
    return parts


@pytest.fixture(scope="session")
def service(parts: Container) -> Iterator[ServiceProcess]:
    served = start_project_service(parts.settings, log_share=1.0)
    yield served
    served.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with launch_chromium() as started:
        yield started


@pytest.fixture(scope="session")
def cinema(
    browser: Browser, ground: EngineSettingsFactory, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServiceProcess]:
    """The sample project with 42 more films, a model and reports. Not built without a browser."""
    data_dir = tmp_path_factory.mktemp("cinema") / "data"
    parts = build_project(data_dir, datetime.now(UTC), [*VOYAGES, *ODD_FILMS], ground())
    add_model(parts, "first", 0)
    build_release_manager(parts).promote_model("first")
    write_reports(parts.settings)
    served = start_project_service(parts.settings)
    yield served
    served.stop()


@pytest.fixture
def visitors(browser: Browser, cinema: ServiceProcess) -> Iterator[Visitors]:
    """Visitors whose browsers must report no problem by the end of the test."""
    visitors = Visitors(browser, cinema.url)
    yield visitors
    visitors.close()
    assert visitors.problems == []
