"""A release brings its ranking settings: promotion and rollback change them with index version and model."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from reelrank.app.jobs.training import publish
from reelrank.app.settings import Settings
from reelrank.app.wiring import Container, build_container, build_release_manager, warm_service
from reelrank.index_mappings.query import Query
from reelrank.ranking.embeddings.learn_embeddings import learn_embeddings
from reelrank.ranking.embeddings.watches import build_event_table, select_watches
from reelrank.ranking.policies.config import RankingConfig
from reelrank.ranking.progress import ignore_progress
from tests.sample_project import build_project

NOW = datetime(2026, 11, 24, tzinfo=UTC)
NOW_MS = round(NOW.timestamp() * 1000)
DEFAULT = RankingConfig().limits.fresh


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A project whose release was made with seven fresh candidates."""
    build_project(tmp_path, NOW, engine_settings={"cap_fresh": "7"})
    return tmp_path


def open_project(data_dir: Path, **stated: int) -> Container:
    return build_container(Settings.model_validate({"data_dir": data_dir, "deadline_ms": 5000, **stated}))


def read_fresh(container: Container) -> int:
    """The limit that the next request of a new service would have."""
    return warm_service(container).assigner.assign(Query()).config.limits.fresh


def publish_again(container: Container) -> None:
    watches = select_watches(build_event_table(container.events.scan(0, NOW_MS)), NOW_MS)
    publish(container, learn_embeddings(watches), ignore_progress)


def test_the_settings_of_the_release_serve_where_none_are_stated(data_dir: Path) -> None:
    assert read_fresh(open_project(data_dir)) == 7


def test_a_stated_setting_wins_over_the_release_also_with_the_default_value(data_dir: Path) -> None:
    assert read_fresh(open_project(data_dir, cap_fresh=9)) == 9
    assert read_fresh(open_project(data_dir, cap_fresh=DEFAULT)) == DEFAULT
    assert read_fresh(open_project(data_dir, cap_bm25=5)) == 7


def test_a_rollback_brings_back_the_settings_of_the_previous_release(data_dir: Path) -> None:
    container = open_project(data_dir)
    service = warm_service(container)
    before = service.assigner.assign(Query()).config
    publish_again(container)
    service.refresher.refresh()
    after = service.assigner.assign(Query()).config
    assert (before.limits.fresh, after.limits.fresh) == (7, DEFAULT)
    assert before.id != after.id
    build_release_manager(container).rollback()
    service.refresher.refresh()
    assert service.assigner.assign(Query()).config == before


def test_settings_of_another_build_are_ignored() -> None:
    config = RankingConfig().with_values({"no_such_source": 5, "fresh": 3, "exploration_slots": 2})
    assert (config.limits.fresh, config.exploration_slots) == (3, 2)
    assert RankingConfig().with_values({}) == RankingConfig()
