"""Indices, aliases and events as the last build without releases writes them, opened by this build."""

import tarfile
from pathlib import Path

import pytest

from reelrank.app.diagnostics.doctor import diagnose
from reelrank.app.engines.server.transport.cluster import Cluster
from reelrank.app.jobs.training import publish
from reelrank.app.search.page import RankingOptions
from reelrank.app.settings import Settings
from reelrank.app.wiring import Container, build_container, build_release_manager, warm_service
from reelrank.index_mappings.event import Event
from reelrank.index_mappings.item import Document, Item
from reelrank.index_mappings.query import Query
from reelrank.ranking.embeddings.learn_embeddings import learn_embeddings
from reelrank.ranking.embeddings.watches import build_event_table, select_watches
from reelrank.ranking.progress import ignore_progress
from tests.sample_project import add_model
from tests.servers.frozen import FROZEN, replay
from tests.servers.server import Server, build_kind_params

pytestmark = pytest.mark.parametrize(
    "server", build_kind_params("elasticsearch-9", "opensearch-3"), indirect=True
)


@pytest.fixture
def container(server: Server, cluster: Cluster, prefix: str, tmp_path: Path) -> Container:
    replay(cluster, server.product, prefix)
    with tarfile.open(FROZEN / "embedded-b9cedd9.tar.xz") as archive:
        models = [member for member in archive if member.name.startswith("reelrank-data/models")]
        archive.extractall(tmp_path, members=models, filter="data")
    settings = {"data_dir": tmp_path / "reelrank-data", "deadline_ms": 5000, **server.build_settings(prefix)}
    return build_container(Settings.model_validate(settings))


def test_a_cluster_of_an_earlier_build_serves_the_old_model(container: Container) -> None:
    version = container.engine.serving_version()
    service = warm_service(container)
    page = service.serve_page(RankingOptions(Query(text="sea story")))
    assert (page.model, page.degraded, service.refresher.state.version) == ("first", (), version)
    assert {hit.item.id for hit in page.hits} >= {"sea1", "sea2"}
    assert container.engine.fetch(["sea11"], 5.0) == [None]
    assert container.events.count() == 241
    pointer = container.releases.read_pointer()
    assert pointer is not None
    assert (pointer.counter, pointer.serving.index_version) == (1, version)
    indexing, tables = diagnose(container).problems  # the tables of the other machine are not here
    assert "another encoder" in indexing
    assert "run: reelrank train" in tables


def test_live_changes_promotions_and_rollback_work_over_old_indices(container: Container) -> None:
    releases = build_release_manager(container)
    new, old = (version.name for version in container.engine.versions())
    container.engine.upsert([Document(Item("lake1", "Lake story"), {})])
    container.events.append([Event("w", "watch", "u1", 1764000000001, "lake1", 90, 100)])
    assert releases.promote_version(old, "index promote").model == "first"
    assert container.engine.serving_version() == old
    found = container.engine.fetch(["lake1"], 5.0)[0]
    assert found is not None
    assert found.title == "Lake story"
    assert releases.rollback().index_version == new
    assert container.engine.serving_version() == new


def test_training_makes_the_first_release_with_a_fingerprint(container: Container) -> None:
    events = build_event_table(container.events.scan(0, 2**62))
    embeddings = learn_embeddings(select_watches(events, 2**62))
    publish(container, embeddings, ignore_progress, add_model(container, "trained", 5))
    pointer = container.releases.read_pointer()
    assert pointer is not None
    assert (pointer.serving.model, pointer.serving.embeddings) == (
        "trained",
        embeddings.compute_fingerprint(),
    )
    assert pointer.previous is not None
    assert pointer.previous.model == "first"
    assert diagnose(container).problems == []


def test_two_data_directories_on_one_cluster_share_release_and_model(
    container: Container, tmp_path: Path
) -> None:
    url = {"releases_url": (tmp_path / "shared").as_uri()}
    here = build_container(container.settings.model_copy(update=url))
    add_model(here, "shared", 5)
    build_release_manager(here).promote_model("shared")
    there = build_container(here.settings.model_copy(update={"data_dir": tmp_path / "there"}))
    page = warm_service(there).serve_page(RankingOptions(Query(text="sea story")))
    assert (page.model, page.degraded) == ("shared", ())
    build_release_manager(there).rollback()
    pointer = here.releases.read_pointer()
    assert pointer is not None
    assert pointer.serving.model == "first"
