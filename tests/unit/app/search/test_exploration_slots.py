"""Exploration slots on served pages, on the real embedded engine."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from reelrank.app.cli.main import app
from reelrank.app.engines.embedded.store.events import EmbeddedEvents
from reelrank.app.search.page import Hit, Page, RankingOptions
from reelrank.app.search.ports import DefaultAssigner
from reelrank.app.search.result_cache import format_cursor
from reelrank.app.search.service import SearchService
from reelrank.app.settings import Settings
from reelrank.app.wiring import Container, build_release_manager, warm_service
from reelrank.index_mappings.errors import Unavailable
from reelrank.index_mappings.event import Event
from reelrank.index_mappings.event_store import PastEvent
from reelrank.index_mappings.query import Context, Query
from tests.sample_project import add_model, build_project

NOW = datetime(2026, 11, 24, tzinfo=UTC)


class UnavailableEvents(EmbeddedEvents):
    """Events that cannot be read for a while."""

    def past(self, *_: object, **__: object) -> list[PastEvent]:
        raise Unavailable("the event store is away")


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> Container:
    """With a model: a page without one is degraded, and degraded pages are not explored."""
    container = build_project(tmp_path_factory.mktemp("data"), NOW)
    add_model(container, "first", 0)
    build_release_manager(container).promote_model("first")
    return container


@pytest.fixture(scope="module")
def service(container: Container) -> SearchService:
    return warm_service(container)


def build_query(**fields: object) -> Query:
    return Query(context=Context(NOW), **fields)  # type: ignore[arg-type]  # a test's own keywords


def list_explored(page: Page) -> list[Hit]:
    return [hit for hit in page.hits if hit.exploration_slot is not None]


@pytest.mark.parametrize("fields", [{"user": "u0"}, {"similar_to": "sea3"}])
def test_a_page_has_one_slot_and_the_rest_of_the_list_is_complete(
    service: SearchService, fields: dict[str, str]
) -> None:
    page = service.serve_page(RankingOptions(build_query(limit=10, **fields)))
    (hit,) = list_explored(page)
    assert hit.exploration_slot is not None
    assert hit.position == hit.exploration_slot.position == 5
    assert 0 < (hit.exploration_slot.propensity or 0) < 1
    assert page.cursor is not None
    rest = service.serve_next_page(page.cursor, 100)
    shown = [each.item.id for each in (*page.hits, *rest.hits)]
    assert len(set(shown)) == len(shown) == page.candidates
    assert list_explored(rest) == []


def test_similar_items_have_a_budget_of_their_own(service: SearchService, container: Container) -> None:
    config = replace(container.config, similar_exploration_slots=0)
    limited = replace(service, assigner=DefaultAssigner(config))
    pages = {
        name: limited.serve_page(RankingOptions(build_query(limit=10, **{name: value})))
        for name, value in (("user", "u0"), ("similar_to", "sea3"))
    }
    assert [len(list_explored(page)) for page in pages.values()] == [1, 0]


def test_the_reference_bucket_shows_all_items_of_a_pool_alike_often(
    service: SearchService, container: Container
) -> None:
    config = replace(container.config, random_exploration_share=1.0)
    page = replace(service, assigner=DefaultAssigner(config)).serve_page(
        RankingOptions(build_query(user="u0", limit=10))
    )
    (hit,) = list_explored(page)
    assert hit.exploration_slot is not None
    assert hit.exploration_slot.propensity == 1 / min(page.candidates - hit.position, 50)


def test_a_later_explanation_shows_the_slot(service: SearchService) -> None:
    page = service.serve_page(RankingOptions(build_query(user="u0", limit=10), cache_results=True))
    (hit,) = list_explored(page)
    (again,) = service.explain_hit(format_cursor(page.request_id, hit.position)).hits
    assert again.exploration_slot == hit.exploration_slot
    assert again.explanation is not None
    added = again.explanation.base + sum(again.explanation.contributions.values())
    assert added == pytest.approx(again.score, abs=1e-5)


def test_searches_short_and_degraded_pages_have_no_slots(
    container: Container, service: SearchService
) -> None:
    whole = RankingOptions(build_query(user="u0", limit=10))
    quiet = [
        service.serve_page(RankingOptions(build_query(text="story", limit=20))),
        service.serve_page(RankingOptions(build_query(user="u0", limit=9))),
        replace(service, assigner=DefaultAssigner(container.config.without_exploration())).serve_page(whole),
        replace(service, events=UnavailableEvents(container.settings.engine_dir)).serve_page(whole),
    ]
    assert [list_explored(page) for page in quiet] == [[], [], [], []]
    assert len(list_explored(service.serve_page(whole))) == 1


def test_the_command_reports_the_value_of_slots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REELRANK_DATA_DIR", str(tmp_path))
    none = CliRunner().invoke(app, ["exploration"])
    assert (none.exit_code, "REELRANK_EXPLORE_SLOTS" in none.output) == (1, True)
    now_ms = round(datetime.now(UTC).timestamp() * 1000)
    shown = [
        Event(f"{n}-10", "impression", "u", now_ms, f"film{n}", request_id=f"{n}", position=10,
              propensity=0.5, came_from=10 + n % 2)
        for n in range(40)
    ]  # fmt: skip
    used = [
        Event(f"c{n}", "click", "u", now_ms, f"film{n}", request_id=f"{n}", position=10)
        for n in range(0, 40, 4)
    ]
    EmbeddedEvents(Settings().engine_dir).append([*shown, *used])
    result = CliRunner().invoke(app, ["exploration", "--json"])
    value = orjson.loads(result.output)
    assert (value["draws"], value["effective"]) == (40, 20.0)
    assert (value["as_drawn"]["mean"], value["as_ranked"]["mean"]) == (0.25, 0.5)
    assert "40 draws" in CliRunner().invoke(app, ["exploration"]).output
