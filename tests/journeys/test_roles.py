"""The two roles of one program: a service that finds candidates, and one that scores them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from reelrank.app.scoring.ranking_client import RankingService
from reelrank.app.scoring.remote_models import RemoteModels
from reelrank.app.wiring import Container, build_release_manager, load_model
from reelrank.index_mappings.errors import ModelNotFound
from reelrank.ranking.features.compute import FEATURE_NAMES
from reelrank.ranking.features.fingerprint import compute_feature_fingerprint
from reelrank.ranking.rankers.blending import BlendWeights, blend_rankers
from reelrank.ranking.wire.feature_rows import MEDIA_TYPE, to_bytes
from tests.running_service import ServiceProcess, find_free_port, start_project_service
from tests.sample_project import add_model, build_project
from tests.servers.server import EngineSettingsFactory

pytestmark = pytest.mark.slow
TIMEOUT_MS = 1000


@pytest.fixture(scope="module")
def project(ground: EngineSettingsFactory, tmp_path_factory: pytest.TempPathFactory) -> Container:
    parts = build_project(
        tmp_path_factory.mktemp("roles") / "data", datetime.now(UTC), engine_settings=ground()
    )
    for seed, name in enumerate(("first", "second")):
        add_model(parts, name, seed, has_pointwise=name == "first")
    build_release_manager(parts).promote_model("first")
    return parts


@pytest.fixture(scope="module")
def ranking(project: Container) -> Iterator[ServiceProcess]:
    served = start_project_service(project.settings, role="ranking", workers=1)
    yield served
    served.stop()


@pytest.fixture
def models(ranking: ServiceProcess) -> RemoteModels:
    return RemoteModels(RankingService(ranking.url), TIMEOUT_MS / 1000, compute_feature_fingerprint)


@pytest.fixture(scope="module")
def candidates(project: Container, ranking: ServiceProcess) -> Iterator[ServiceProcess]:
    served = start_project_service(
        project.settings, role="candidates", ranking_url=ranking.url, ranking_timeout_ms=TIMEOUT_MS,
        workers=1,
    )  # fmt: skip
    yield served
    served.stop()


def build_rows(n: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    rng = np.random.default_rng(n)
    values = rng.normal(size=(n, len(FEATURE_NAMES))).astype(np.float32)
    values[rng.random(values.shape) < 0.2] = np.nan
    return values


@pytest.mark.parametrize("n", [0, 1, 3000])
def test_remote_scores_and_contributions_equal_local_ones(
    project: Container, models: RemoteModels, n: int
) -> None:
    local, remote = load_model(project.registry.find_directory("first")), models.get("first")
    assert (remote.name, remote.feature_names) == (local.name, local.feature_names)
    assert remote.score(build_rows(n)).tobytes() == local.score(build_rows(n)).tobytes()
    assert np.array_equal(
        remote.compute_contributions(build_rows(n)), local.compute_contributions(build_rows(n))
    )


def test_the_ranking_service_blends_by_the_weights_that_it_is_given(
    project: Container, models: RemoteModels
) -> None:
    weights, rows = BlendWeights(0.25, 0.5), build_rows(20)
    local = blend_rankers(load_model(project.registry.find_directory("first")), weights)
    remote = blend_rankers(models.get("first"), weights)
    assert remote.score(rows).tobytes() == local.score(rows).tobytes()
    assert np.array_equal(remote.compute_contributions(rows), local.compute_contributions(rows))


def test_pages_of_two_roles_are_ranked_and_explained_by_the_model(candidates: ServiceProcess) -> None:
    page = candidates.get("/v1/search?q=story&user=u0&explain=true&limit=5").json
    assert (page["model"], page["degraded"]) == ("first", [])
    for hit in page["hits"]:
        why = hit["explanation"]
        assert why["base"] + sum(why["contributions"].values()) == pytest.approx(hit["score"], abs=1e-4)


def test_a_request_may_name_another_model_of_the_ranking_service(candidates: ServiceProcess) -> None:
    assert candidates.get("/v1/search?q=story&model=second").json["model"] == "second"
    assert candidates.get("/v1/search?q=story&model=unknown").json["code"] == "model_not_found"


def test_a_promotion_through_role_candidates_degrades_no_page(
    candidates: ServiceProcess,
) -> None:
    assert {model["id"] for model in candidates.get("/v1/models").json["models"]} == {"first", "second"}
    candidates.post("/v1/models/second:promote", {})
    seen, until = set[tuple[str, int]](), time.monotonic() + 10
    while ("second", 0) not in seen and time.monotonic() < until:
        page = candidates.get("/v1/search?q=story").json
        seen.add((page["model"], len(page["degraded"])))
    candidates.post("/v1/models/first:promote", {})
    assert seen == {("first", 0), ("second", 0)}


def test_role_ranking_answers_scores_and_no_lists(ranking: ServiceProcess, models: RemoteModels) -> None:
    assert ranking.get("/readyz").json["model"] == "first"
    assert ranking.get("/v1/search?q=story").json["code"] == "address_not_found"
    answer = ranking.request("POST", "/v1/score/first", b"no arrow", MEDIA_TYPE)
    assert (answer.status, answer.json["code"]) == (400, "invalid_request")
    assert ranking.get(answer.json["type"]).status == 200
    with pytest.raises(ModelNotFound):
        models.get("unknown")


def test_columns_that_are_missing_are_named(ranking: ServiceProcess) -> None:
    body = to_bytes(build_rows(2)[:, :1], FEATURE_NAMES[:1])
    answer = ranking.request("POST", "/v1/score/first", body, MEDIA_TYPE)
    assert (answer.status, answer.json["code"]) == (400, "invalid_request")
    assert FEATURE_NAMES[1] in answer.json["detail"]


def test_a_ranking_service_of_another_build_is_not_used(ranking: ServiceProcess) -> None:
    elsewhere = RemoteModels(RankingService(ranking.url), 1.0, lambda names: "another")
    ranker, degraded = elsewhere.current()
    assert ranker.name == "engine-order"
    assert "same build in both roles" in degraded[0].detail


def test_without_a_ranking_service_pages_are_in_engine_order(
    project: Container,
) -> None:
    port = find_free_port()
    ranking = start_project_service(project.settings, role="ranking", workers=1, port=port)
    candidates = start_project_service(
        project.settings, role="candidates", ranking_url=ranking.url, workers=1, ranking_timeout_ms=300
    )
    try:
        page = candidates.get("/v1/search?q=story&limit=3").json
        assert (page["model"], page["degraded"]) == ("first", [])
        children = _list_children(ranking)
        for process in children:
            os.kill(process, signal.SIGSTOP)
        page = candidates.get("/v1/search?q=story&limit=3").json
        assert (page["model"], len(page["hits"])) == ("engine-order", 3)
        assert "no answer within 300 ms" in page["degraded"][0]
        for process in children:
            os.kill(process, signal.SIGCONT)
        assert _wait_for_model(candidates, "first")
        ranking.stop(signal.SIGKILL)
        for process in children:
            os.kill(process, signal.SIGKILL)
        assert _wait_for_model(candidates, "engine-order")
        assert "cannot be reached" in candidates.get("/v1/search?q=story").json["degraded"][0]
        ranking = start_project_service(project.settings, role="ranking", workers=1, port=port)
        assert _wait_for_model(candidates, "first")
    finally:
        candidates.stop()
        ranking.stop()


def test_role_candidates_without_an_address_names_the_setting(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "reelrank.app.cli", "serve", "--role", "candidates"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 2
    assert "REELRANK_RANKING_URL" in ended.stderr


def _list_children(served: ServiceProcess) -> list[int]:
    listed = Path(f"/proc/{served.process.pid}/task/{served.process.pid}/children").read_text().split()
    return [int(child) for child in listed]


def _wait_for_model(service: ServiceProcess, model: str) -> bool:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        if service.get("/v1/search?q=story").json["model"] == model:
            return True
        time.sleep(0.1)
    return False
