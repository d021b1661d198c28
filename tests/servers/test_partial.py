"""A shard without any copy: pages use the others, say so, and are complete again when it returns."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reelrank.app.search.page import Page, RankingOptions
from reelrank.app.search.service import SearchService
from reelrank.app.web.api.health import check_lists_ready
from reelrank.app.wiring import warm_service
from reelrank.index_mappings.errors import NO_MODEL, EngineError, Partial
from reelrank.index_mappings.item import Item
from reelrank.index_mappings.query import Context, Query
from tests.sample_project import FILMS, build_project
from tests.servers.node import Node, wait_until
from tests.servers.server import Server

pytestmark = [pytest.mark.slow, pytest.mark.servers]
NOW = datetime(2026, 11, 24, tzinfo=UTC)
SEARCH = Query(text="story", user="u1", limit=24, context=Context(NOW))
HOME = replace(SEARCH, text=None)
PREFIX, LOST, READ_S = "partial-", 1, 10.0


@pytest.fixture
def service(node: Node, tmp_path: Path) -> Iterator[SearchService]:
    """A service on three shards without replicas."""
    server_settings = Server(node.kind, node.url).build_settings(PREFIX)
    in_three = {**server_settings, "engine_shards": "3", "engine_replicas": "0"}
    opened = warm_service(build_project(tmp_path / "data", NOW, engine_settings=in_three))
    yield opened
    opened.engine.close()


@contextmanager
def lose_shard(node: Node, service: SearchService, aside: Path) -> Iterator[None]:
    """Removes the files of one shard of the serving version while the block runs."""
    cluster = Server(node.kind, node.url).open_cluster()
    index = f"{PREFIX}{service.engine.serving_version()}".lower()
    settings = cluster.request_or_raise("GET", f"/{index}/_settings/index.uuid")[index]["settings"]["index"]
    node.stop(keep_data=True)
    folder = node.find_shard_directory(settings["uuid"], LOST)
    folder.rename(aside)
    node.restart().wait(status="red")
    assert wait_until(lambda: read_warning(service).startswith("1 of 3 shards")), read_warning(service)
    yield
    node.stop(keep_data=True)
    aside.rename(folder)
    node.restart().wait()
    assert wait_until(lambda: read_warning(service) == "")
    cluster.close()


def read_warning(service: SearchService) -> str:
    """Returns the warning of the text source, or the error when no source answers."""
    try:
        page = service.serve_page(RankingOptions(SEARCH))
    except EngineError as error:
        return str(error)
    return next((missing.detail for missing in page.degraded if missing.source == "bm25"), "")


def list_ids(page: Page) -> set[str]:
    return {hit.item.id for hit in page.hits}


def test_pages_use_the_remaining_shards_until_the_lost_one_returns(
    node: Node, service: SearchService, tmp_path: Path
) -> None:
    search, home = (service.serve_page(RankingOptions(query)) for query in (SEARCH, HOME))
    assert search.degraded == home.degraded == (NO_MODEL,)
    assert list_ids(search) == {film.id for film in FILMS}
    with lose_shard(node, service, tmp_path / "aside"):
        less, at_home = (service.serve_page(RankingOptions(query)) for query in (SEARCH, HOME))
        assert list_ids(less) < list_ids(search)
        assert list_ids(at_home) < list_ids(home)
        assert {"bm25", "text_knn"} == {source for hit in less.hits for source in hit.sources}
        assert "1 of 3 shards" in " ".join(map(str, less.degraded))
        assert any(missing.source == "items" for missing in at_home.degraded)  # lists that need no engine
        assert check_lists_ready(service)["index_version"] == search.version
        assert_unreadable_items_reported(service)
    assert list_ids(service.serve_page(RankingOptions(SEARCH))) == list_ids(search)
    assert service.serve_page(RankingOptions(HOME)).degraded == home.degraded


def assert_unreadable_items_reported(service: SearchService) -> None:
    with pytest.raises(Partial) as error:
        service.engine.fetch([film.id for film in FILMS], READ_S)
    found: list[Item | None] = error.value.partial_result
    assert 0 < sum(item is not None for item in found) < len(FILMS) == len(found)
