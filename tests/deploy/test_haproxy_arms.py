"""HAProxy routes scores by the model of the request; the arm in decisions and events names the same model."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reelrank.app.search.page import RankingOptions
from reelrank.app.settings import Settings
from reelrank.app.wiring import Container, build_container, build_release_manager, warm_service
from reelrank.index_mappings.event import MAX_TIME_MS
from reelrank.index_mappings.query import Context, Query
from reelrank.ranking.experiments.definition import ExperimentDefinition
from reelrank.ranking.experiments.experiment import AssignedPage
from tests.deploy.haproxy_process import run_haproxy
from tests.running_service import ServiceProcess, find_free_port, start_service
from tests.sample_project import add_model, build_project

pytestmark = pytest.mark.slow
NOW = datetime.now(UTC)
VIEWERS = [f"viewer-{number}" for number in range(40)]
DEFINITION = {
    "name": "new-model",
    "hypothesis": "The second model finds what viewers want.",
    "arms": [{"name": "control", "share": 0.5}, {"name": "trial", "share": 0.5, "model": "second"}],
}
MODELS = {"control": "first", "trial": "second"}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Container:
    container = build_project(tmp_path_factory.mktemp("arms") / "data", NOW)
    for seed, name in enumerate(MODELS.values()):
        add_model(container, name, seed)
    build_release_manager(container).promote_model("first")
    container.experiments.create(ExperimentDefinition.model_validate(DEFINITION))
    container.experiments.start("new-model")
    return container


@pytest.fixture(scope="module")
def workers(project: Container) -> Iterator[list[ServiceProcess]]:
    with ThreadPoolExecutor(3) as pool:
        started = list(
            pool.map(
                lambda port: start_service(
                    project.settings.data_dir, role="ranking", workers=1, threads=4, port=port
                ),
                [find_free_port() for _ in range(3)],
            )
        )
    yield started
    for worker in started:
        worker.stop()


def test_a_viewer_is_scored_by_the_workers_of_the_arm_that_events_state(
    project: Container, workers: list[ServiceProcess], tmp_path: Path
) -> None:
    experiment = project.experiments.find("new-model")
    with run_haproxy("by-parameter.cfg", workers, tmp_path) as haproxy:
        settings = Settings(
            data_dir=project.settings.data_dir, role="candidates", ranking_url=haproxy.served.url,
            ranking_timeout_ms=10_000, deadline_ms=5000,
        )  # fmt: skip
        parts = build_container(settings)
        service = warm_service(parts)
        queries = [Query(user=user, context=Context(NOW), limit=10) for user in VIEWERS]
        expected = {
            query.user: experiment.find_arm(AssignedPage(service.identify(query.user or ""), "home"))
            for query in queries
        }
        for query in queries[:8]:  # models are looked up once, and by the next page both are known
            service.serve_page(RankingOptions(query))
        before = haproxy.count_answers()
        pages = [service.serve_page(RankingOptions(query)) for query in queries]
        after = haproxy.count_answers()
        service.recorder.start()
        service.recorder.close()
    arms = {user: arm.name for user, arm in expected.items() if arm is not None}
    assert {page.model for page in pages} == set(MODELS.values())
    assert [page.model for page in pages] == [MODELS[arms[user]] for user in VIEWERS]
    scored = {name: after[name] - before[name] for name in after}
    treated = sum(arm == "trial" for arm in arms.values())
    assert scored["trial/worker3"] == treated
    assert scored["workers/worker1"] + scored["workers/worker2"] == len(VIEWERS) - treated
    logged = {
        (event["user"], event["variant"], event["model"])
        for batch in parts.events.scan(0, MAX_TIME_MS, ("impression",))
        for event in batch.to_pylist()
    }
    assert logged == {(user, arm, MODELS[arm]) for user, arm in arms.items()}
