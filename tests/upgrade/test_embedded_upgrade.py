"""A data directory of the last build without releases, opened by this build."""

import json
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from reelrank.app.cli.main import app
from reelrank.app.search.page import RankingOptions
from reelrank.app.search.stage_timings import StageTimings
from reelrank.app.settings import Settings
from reelrank.app.wiring import Container, build_container, build_release_manager, warm_service
from reelrank.index_mappings.encoder import build_item_text, choose_encoder
from reelrank.index_mappings.item import FloatVector
from reelrank.index_mappings.query import Query
from reelrank.loaders.items.catalogue import LoadOptions
from reelrank.loaders.items.reindex import reindex
from reelrank.ranking.embeddings.learn_embeddings import NO_EMBEDDINGS
from tests.sample_project import FILMS, add_model

FROZEN = Path(__file__).parent / "embedded-b9cedd9.tar.xz"
VERSION, OLDER = "items-05eedc69-20261127T033635", "items-05eedc69-20261127T033634"


@pytest.fixture
def container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Container:
    with tarfile.open(FROZEN) as archive:
        archive.extractall(tmp_path, filter="data")
    monkeypatch.setenv("REELRANK_DATA_DIR", str(tmp_path / "reelrank-data"))
    monkeypatch.setenv("REELRANK_DEADLINE_MS", "5000")
    return build_container(Settings())


SEA_1 = next(film for film in FILMS if film.id == "sea1")


def find_text_vector(container: Container, version: str) -> FloatVector:
    documents = (document for batch in container.engine.scan(version) for document in batch)
    return next(each.vectors["text"] for each in documents if each.item.id == "sea1")


def run(command: str, exit_code: int = 0) -> str:
    result = CliRunner().invoke(app, command.split())
    assert result.exit_code == exit_code, result.output
    return " ".join(result.output.split())


def test_the_old_model_serves_on_as_the_first_release(container: Container) -> None:
    service = warm_service(container)
    page = service.serve_page(RankingOptions(Query(text="sea story")))
    assert (page.model, page.degraded) == ("first", ())
    assert service.refresher.state.version == VERSION
    pointer = container.releases.read_pointer()
    assert pointer is not None
    assert (pointer.counter, pointer.serving.model, pointer.serving.embeddings) == (1, "first", "")


def test_items_events_and_deletions_are_there(container: Container) -> None:
    assert [(v.name, v.documents) for v in container.engine.versions()] == [(VERSION, 23), (OLDER, 24)]
    assert container.events.count() == 242
    assert container.engine.fetch(["sea11", "sea1"], 5.0)[0] is None


def test_the_model_before_is_the_previous_release(container: Container) -> None:
    assert "previous" in run("releases list")
    assert "second serves" in run("releases rollback")
    assert "first serves" in run("models rollback")


def test_the_doctor_says_only_that_items_are_indexed_as_before(container: Container) -> None:
    warm_service(container)  # rebuilds the item table when its schema has changed
    report = json.loads(run("doctor --json", exit_code=1).partition(" error:")[0])
    status = report["status"]
    assert (status["index version"], status["model"], status["embeddings"]) == (VERSION, "first", "unknown")
    (problem,) = report["problems"]
    assert "another encoder" in problem


def test_old_vectors_are_searched_with_the_encoder_that_made_them(container: Container) -> None:
    service = warm_service(container)
    (sea1,) = service.rank_query(RankingOptions(Query(text="Sea story 1")), StageTimings()).candidates.ids[:1]
    assert sea1 == b"sea1"
    stored = find_text_vector(container, VERSION)
    text = build_item_text(SEA_1)
    assert np.allclose(stored, choose_encoder(container.encoder, VERSION).encode([text])[0], atol=1e-6)
    assert not np.allclose(stored, container.encoder.encode([text])[0], atol=1e-2)


def test_a_copy_of_an_old_version_is_encoded_by_this_build(container: Container) -> None:
    options = LoadOptions(created_at=datetime.now(UTC))
    version = reindex(container.engine, container.encoder, NO_EMBEDDINGS, options).version
    assert choose_encoder(container.encoder, version) is container.encoder
    encoded = container.encoder.encode([build_item_text(SEA_1)])[0]
    assert np.allclose(find_text_vector(container, version), encoded, atol=1e-6)


def test_every_index_version_can_be_promoted(container: Container) -> None:
    assert f"first serves over {OLDER}" in run(f"index promote {OLDER}")
    assert container.engine.serving_version() == OLDER
    assert "reelrank-data/tables/" in run("doctor", exit_code=1)  # the frozen project has none for it


def test_a_new_model_serves_over_the_old_version_and_goes_back(container: Container) -> None:
    add_model(container, "newer", 7)
    assert f"newer serves over {VERSION}" in run("promote newer")
    assert "first serves" in run("releases rollback")


def test_a_model_that_does_not_fit_this_build_leaves_the_fused_order(
    container: Container,
) -> None:
    manifest = container.registry.find_directory("first") / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"feature_fingerprint": "', '"feature_fingerprint": "0'))
    page = warm_service(container).serve_page(RankingOptions(Query(text="sea story")))
    assert page.model == "engine-order"
    assert "train a new model with this build" in str(page.degraded[0])
    assert "train a new model with this build" in run("doctor", exit_code=1)
    build_release_manager(container).promote_model("second")
    assert "second" in run("releases list")
