"""What a worker, the API and the commands do with a model and embeddings of another training."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from typer.testing import CliRunner

from reelrank.app.cli.main import app
from reelrank.app.diagnostics.doctor import diagnose
from reelrank.app.jobs.training import publish, train
from reelrank.app.release.lock import acquire_job_lock
from reelrank.app.search.service import SearchService
from reelrank.app.web.application import WebOptions, create_app
from reelrank.app.wiring import Container, build_container, build_release_manager, warm_service
from reelrank.index_mappings.errors import CodedError, Conflict
from reelrank.ranking.embeddings.learn_embeddings import learn_embeddings
from reelrank.ranking.embeddings.watches import build_event_table, select_watches
from reelrank.ranking.progress import ignore_progress
from reelrank.ranking.rankers.manifest import read_manifest, write_manifest
from tests.raised import raises_code
from tests.sample_project import add_model, build_project


def add_trained_model(container: Container, name: str, embeddings: str, seed: int = 0) -> str:
    """A model that names the embeddings it was trained with."""
    directory = container.registry.find_directory(add_model(container, name, seed))
    manifest = read_manifest(directory)
    write_manifest(directory, manifest.model_copy(update={"embeddings_fingerprint": embeddings}))
    return name


def train_again(container: Container, name: str, seed: int) -> str:
    """Publishes new embeddings with a model that is tied to them; returns the index version."""
    events = build_event_table(container.events.scan(0, 2**62))
    embeddings = learn_embeddings(select_watches(events, 2**62), seed=seed)
    model = add_trained_model(container, name, embeddings.compute_fingerprint(), seed)
    return publish(container, embeddings, ignore_progress, model)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Container, str, str]:
    """Two trainings: `one` and `two`, each with its index version; a model of a third one that is gone."""
    container = build_project(tmp_path_factory.mktemp("pairs"), datetime.now(UTC))
    versions = [train_again(container, name, seed) for seed, name in enumerate(("one", "two"), 1)]
    add_trained_model(container, "stranger", "f" * 16)
    return container, versions[0], versions[1]


@pytest.fixture
def project(
    prepared: tuple[Container, str, str], monkeypatch: pytest.MonkeyPatch
) -> tuple[Container, str, str]:
    """The second training serves."""
    monkeypatch.setenv("REELRANK_DATA_DIR", str(prepared[0].settings.data_dir))
    container = build_container(prepared[0].settings)
    build_release_manager(container).promote_model("two")
    return container, prepared[1], prepared[2]


@pytest.fixture
def service(project: tuple[Container, str, str]) -> SearchService:
    return warm_service(project[0])


@pytest.fixture
def client(service: SearchService, tmp_path: Path) -> Iterator[FlaskClient]:
    with create_app(service, WebOptions(8_000_000, tmp_path)).test_client() as client:
        yield client


def run(*command: str) -> str:
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def test_promotion_over_http_moves_index_version_and_model(
    project: tuple[Container, str, str], client: FlaskClient
) -> None:
    container, old, new = project
    for model, version in (("one", old), ("two", new)):
        assert client.post(f"/v1/models/{model}:promote").status_code == 200
        page = client.get("/v1/search?q=sea").get_json()
        assert (page["model"], page["degraded"]) == (model, [])
        assert container.engine.serving_version() == version


def test_a_model_without_its_embeddings_is_refused_over_http(client: FlaskClient) -> None:
    refused = client.post("/v1/models/stranger:promote")
    assert (refused.status_code, refused.get_json()["code"]) == (409, "embeddings_mismatch")
    assert "reelrank train" in refused.get_json()["detail"]
    assert client.get("/v1/search?q=sea").get_json()["model"] == "two"


@pytest.mark.parametrize("model", ["one", "stranger"])
def test_a_request_cannot_name_a_model_of_other_embeddings(client: FlaskClient, model: str) -> None:
    refused = client.get(f"/v1/search?q=sea&model={model}")
    assert (refused.status_code, refused.get_json()["code"]) == (409, "embeddings_mismatch")
    assert client.get("/v1/search?q=sea&model=two").status_code == 200


def test_a_mismatched_pair_serves_fused_order_and_the_doctor_names_it(
    project: tuple[Container, str, str], service: SearchService
) -> None:
    container, _, _ = project
    before = container.releases.read_pointer()
    assert before is not None
    wrong = before.serving.model_copy(update={"model": "one", "id": "release-wrong"})
    container.releases.replace_pointer(before.move_to(wrong, before.serving), before)
    try:
        service.refresher.refresh()
        state = service.refresher.state
        assert state.ranker.name == "engine-order"
        assert "model one was trained with embeddings" in str(state.degraded[0])
        assert any("release-wrong is inconsistent" in problem for problem in diagnose(container).problems)
    finally:
        build_release_manager(container).rollback()
    service.refresher.refresh()
    assert service.refresher.state.ranker.name == "two"


def test_commands_move_the_pair(project: tuple[Container, str, str]) -> None:
    container, old, new = project
    assert f"one serves over {old}" in run("promote", "one")
    assert f"two serves over {new}" in run("models", "rollback")
    assert f"one serves over {old}" in run("index", "promote", old)
    assert f"two serves over {new}" in run("releases", "rollback")
    listed = json.loads(run("releases", "list", "--json"))
    serving = next(release for release in listed if release["state"] == "serving")
    assert (serving["model"], serving["index_version"]) == ("two", new)
    shown = json.loads(run("releases", "show", serving["id"], "--json"))
    assert (
        shown["embeddings"] == read_manifest(container.registry.find_directory("two")).embeddings_fingerprint
    )
    assert set(shown["files"]) == {"manifest.json", "model.txt", "golden.parquet"}
    assert "two serves" in run("releases", "promote", serving["id"])
    assert "serving" in run("releases", "list")
    assert f"index_version {new}" in run("releases", "show", serving["id"])


def test_commands_that_promote_print_the_release_as_json(project: tuple[Container, str, str]) -> None:
    _, old, new = project
    for command, pair in (
        ("promote one", ("one", old)),
        ("models rollback", ("two", new)),
        (f"index promote {old}", ("one", old)),
        ("releases rollback", ("two", new)),
    ):
        release = json.loads(run(*command.split(), "--json"))
        assert (release["model"], release["index_version"], release["state"]) == (*pair, "serving")


def test_commands_refuse_by_code_and_name_the_command_that_helps(project: tuple[Container, str, str]) -> None:
    _, _, new = project
    for command, code in (
        (f"index drop {new}", "index_version_in_release"),
        ("promote stranger", "embeddings_mismatch"),
        ("promote unknown", "model_not_found"),
        ("models compile unknown", "model_not_found"),
        ("releases show unknown", "release_not_found"),
        ("releases promote unknown", "release_not_found"),
        ("index promote unknown", "index_version_not_found"),
        ("index drop unknown", "index_version_not_found"),
    ):
        error = CliRunner().invoke(app, command.split()).exception
        assert isinstance(error, CodedError)
        assert error.code == code, command
        assert "reelrank " in str(error), command


def test_a_second_training_is_refused_while_one_runs(project: tuple[Container, str, str]) -> None:
    container, _, _ = project
    with (
        acquire_job_lock(container.settings.data_dir / "training.lock", 0, "another training"),
        raises_code(Conflict, "job_running"),
    ):
        train(container, ignore_progress)
