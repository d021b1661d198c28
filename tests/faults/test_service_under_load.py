"""The service under load: promotions, killed workers and a graceful stop fail no request."""

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import urllib3

from reelrank.app.release.distribution import ModelFiles
from reelrank.app.wiring import Container, build_release_manager
from reelrank.index_mappings.decision import REQUESTS
from reelrank.index_mappings.query import EPOCH
from reelrank.loaders.lake.reader import open_lake
from reelrank.ranking.rankers.lambdarank import FusedOrder
from tests.running_service import Clients, ServiceProcess, start_service
from tests.sample_project import add_model, build_project

pytestmark = pytest.mark.slow
CLIENTS = 4
PROMOTIONS = 20
SEEN_WITHIN_S = 5.0


@pytest.fixture
def container(tmp_path: Path) -> Container:
    container = build_project(tmp_path / "data", datetime.now(UTC))
    for seed in (1, 2):
        add_model(container, f"model-{seed}", seed)
    build_release_manager(container).promote_model("model-1")
    return container


@pytest.fixture
def service(container: Container) -> Iterator[ServiceProcess]:
    served = start_service(container.settings.data_dir, workers=3, threads=4)
    yield served
    served.stop(signal.SIGKILL)


class Load(Clients):
    """Clients that count answers by status and record the models that gave them."""

    def __init__(self, service: ServiceProcess) -> None:
        super().__init__(service, CLIENTS)
        self.statuses: Counter[int] = Counter()
        self.failures: list[str] = []
        self.models: list[tuple[float, str]] = []

    def send_request(self, number: int) -> None:
        started = time.monotonic()
        try:
            answer = self.service.get(f"/v1/search?q=story&user=u{number}&limit=5")
        except urllib3.exceptions.HTTPError as error:
            self.failures.append(repr(error))
            return
        self.statuses[answer.status] += 1
        if answer.status == 200:
            self.models.append((started, answer.json["model"]))

    def list_models_since(self, since: float) -> set[str]:
        return {model for started, model in self.models if started >= since}


def test_twenty_promotions_fail_no_request_and_reach_all_workers(
    service: ServiceProcess, container: Container
) -> None:
    with Load(service) as load:
        for promotion in range(PROMOTIONS):
            model = f"model-{promotion % 2 + 1}"
            build_release_manager(container).promote_model(model)
            until = time.monotonic() + SEEN_WITHIN_S
            while time.monotonic() < until:
                since = time.monotonic()
                time.sleep(0.4)
                if load.list_models_since(since) == {model}:
                    break
            assert load.list_models_since(since) == {model}, (
                f"promotion {promotion} was not seen by all workers within 5 s"
            )
    assert load.failures == []
    assert set(load.statuses) == {200}
    assert load.statuses[200] > 200


def test_promoting_an_index_version_fails_no_request(service: ServiceProcess, container: Container) -> None:
    from reelrank.app.jobs.training import publish
    from reelrank.ranking.embeddings.learn_embeddings import NO_EMBEDDINGS
    from reelrank.ranking.progress import ignore_progress

    with Load(service) as load:
        version = publish(container, NO_EMBEDDINGS, ignore_progress)
        until = time.monotonic() + SEEN_WITHIN_S
        while time.monotonic() < until and service.get("/readyz").json["index_version"] != version:
            time.sleep(0.1)
        time.sleep(1.0)
    assert service.get("/readyz").json["index_version"] == version
    assert load.failures == []
    assert set(load.statuses) == {200}


def test_a_damaged_model_is_replaced_by_engine_order_with_a_reason(
    service: ServiceProcess, container: Container
) -> None:
    directory = container.registry.find_directory(add_model(container, "broken", 3))
    text = (directory / "model.txt").read_text()
    (directory / "model.txt").write_text(text[: len(text) // 2])
    refused = service.post("/v1/models/broken:promote", {})
    assert (refused.status, refused.json["code"]) == (409, "model_file_changed")
    assert service.get("/v1/search?q=story").json["model"] == "model-1"
    unchecked = ModelFiles(container.registry, lambda directory: FusedOrder())
    replace(build_release_manager(container), files=unchecked).promote_model("broken")
    time.sleep(2.0)
    page = service.get("/v1/search?q=story").json
    assert page["model"] == "engine-order"
    assert "broken is refused" in page["degraded"][0]


def test_a_graceful_stop_answers_accepted_requests_and_logs_them(
    service: ServiceProcess, container: Container
) -> None:
    with Load(service) as load:
        time.sleep(1.0)
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(timeout=30) == 0
    assert set(load.statuses) == {200}
    refused = [failure for failure in load.failures if "refused" not in failure.lower()]
    assert refused == []
    batches = open_lake(container.settings.lake_location).scan(REQUESTS, EPOCH, EPOCH.replace(year=2100))
    assert sum(batch.num_rows for batch in batches) == load.statuses[200]
    assert "not recorded" not in service.log.read_text()


def test_a_killed_worker_is_replaced(service: ServiceProcess) -> None:
    children = Path(f"/proc/{service.process.pid}/task/{service.process.pid}/children").read_text().split()
    os.kill(int(children[0]), signal.SIGKILL)
    time.sleep(1.0)
    assert all(service.get("/v1/search?q=story").status == 200 for _ in range(20))


def test_a_service_without_data_is_unready_until_data_arrives(tmp_path: Path) -> None:
    served = start_service(tmp_path / "data", wait_ready=False, workers=1)
    try:
        answer = served.get("/v1/search?q=story")
        assert (answer.status, answer.json["code"]) == (503, "no_index_version")
        assert answer.headers["Retry-After"] == "1"
        assert served.get("/readyz").status == 503
        build_project(tmp_path / "data", datetime.now(UTC))
        time.sleep(3.0)
        assert served.get("/v1/search?q=story").status == 200
    finally:
        served.stop()
