"""An index of an earlier build has unprepared text: it is searched as it is until items are loaded again."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from reelrank.app.search.page import RankingOptions
from reelrank.app.search.service import SearchService
from reelrank.app.settings import Settings
from reelrank.app.wiring import Container, build_container, warm_service
from reelrank.index_mappings.engine import TextMatch
from reelrank.index_mappings.query import Filters, Query
from reelrank.loaders.items.catalogue import LoadOptions, load_catalogue
from reelrank.ranking.rankers.lambdarank import FusedOrder
from tests.sample_project import FILMS
from tests.servers.frozen import replay
from tests.servers.server import Server, build_kind_params

pytestmark = pytest.mark.parametrize("server", build_kind_params(), indirect=True)
TYPED = {
    "exact": ("Sea story 3", "sea3"),
    "capitals": ("SPACE STORY 7", "space7"),
    "accent": ("S\u00e9a story 5", "sea5"),
    "typo": ("Spaec story 4", "space4"),
}


@pytest.fixture
def container(server: Server, prefix: str, tmp_path: Path) -> Container:
    settings = {"data_dir": tmp_path, "deadline_ms": 5000, **server.build_settings(prefix)}
    built = build_container(Settings.model_validate(settings))
    replay(built.engine.cluster, server.product, prefix)  # type: ignore[attr-defined]
    return built


def search_first(service: SearchService, text: str) -> str:
    page = service.serve_page(RankingOptions(Query(text=text), model=FusedOrder.name))
    return page.hits[0].item.id


def test_it_is_searched_as_the_earlier_build_did(container: Container) -> None:
    matcher = container.engine.at_version(container.engine.serving_version() or "")
    for filters, count in ((Filters(), 23), (Filters(genres=("Sea",)), 11)):
        matches = matcher.match_text(TextMatch("bm25", "STORIES", 50, filters), 5.0)
        assert len(matches) == count


def test_typed_titles_are_first_before_and_after_items_are_loaded_again(container: Container) -> None:
    before = warm_service(container)
    assert {kind: search_first(before, text) for kind, (text, _) in TYPED.items()} == {
        kind: item_id for kind, (_, item_id) in TYPED.items()
    }
    options = LoadOptions(created_at=datetime.now(UTC))
    load_catalogue(FILMS, container.engine, container.encoder, options)
    after = warm_service(container)
    assert after.refresher.state.version != before.refresher.state.version
    assert {kind: search_first(after, text) for kind, (text, _) in TYPED.items()} == {
        kind: item_id for kind, (_, item_id) in TYPED.items()
    }
