"""The three policies of deploy/haproxy, with a real HAProxy in front of three real ranking services."""

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
import pytest

from reelrank.app.scoring.ranking_client import RankingService
from reelrank.app.scoring.remote_ranker import RemoteRanker
from reelrank.app.settings import Settings
from reelrank.app.wiring import Container, build_container, build_release_manager, load_model
from reelrank.ranking.features.compute import FEATURE_NAMES
from reelrank.ranking.wire.feature_rows import MEDIA_TYPE, to_bytes
from tests.deploy.haproxy_process import HAPROXY, run_haproxy, wait_until
from tests.running_service import Answer, ServiceProcess, find_free_port, start_service
from tests.sample_project import add_model

pytestmark = pytest.mark.slow
ROWS = np.random.default_rng(0).random((20, len(FEATURE_NAMES))).astype(np.float32)
BODY = to_bytes(ROWS, FEATURE_NAMES)
CLIENTS = 6
Aggregated = Callable[[str], AbstractContextManager[ServiceProcess]]


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> Container:
    """Models only: the ranking role needs neither an index nor events."""
    container = build_container(Settings(data_dir=tmp_path_factory.mktemp("models") / "data"))
    for seed, name in enumerate(("first", "second")):
        add_model(container, name, seed)
    build_release_manager(container).promote_model("first")
    return container


@pytest.fixture(scope="module")
def workers(container: Container) -> Iterator[list[ServiceProcess]]:
    with ThreadPoolExecutor(3) as pool:
        started = list(
            pool.map(lambda port: start_worker(container, port), [find_free_port() for _ in range(3)])
        )
    yield started
    for worker in started:
        worker.stop()


def start_worker(container: Container, port: int) -> ServiceProcess:
    return start_service(container.settings.data_dir, role="ranking", workers=1, threads=4, port=port)


@pytest.fixture
def aggregated(workers: list[ServiceProcess], tmp_path: Path) -> Aggregated:
    """Returns a function that runs HAProxy with a policy until all its workers are ready."""

    @contextmanager
    def run(policy: str) -> Iterator[ServiceProcess]:
        with run_haproxy(policy, workers, tmp_path) as haproxy:
            yield haproxy.served

    return run


def score(served: ServiceProcess, path: str = "/v1/score/first") -> Answer:
    return served.request("POST", path, BODY, MEDIA_TYPE)


def request_concurrently(served: ServiceProcess, seconds: float, min_answers: int = 0) -> list[Answer]:
    """Returns the responses to CLIENTS that send without pause for some seconds, at least `min_answers`."""
    until, answers = time.monotonic() + seconds, list[Answer]()

    def send(_: int) -> None:
        while time.monotonic() < until or len(answers) < min_answers:
            answers.append(score(served))

    with ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(send, range(CLIENTS)))  # raises the error of a client
    return answers


def count_by_worker(answers: list[Answer]) -> Counter[str]:
    assert {answer.status for answer in answers} == {200}
    return Counter(answer.headers["X-Worker"] for answer in answers)


@contextmanager
def slow_down(served: ServiceProcess) -> Iterator[None]:
    """Suspend the worker 90 % of the time, but never for as long as a health check waits."""
    ended = threading.Event()

    def pace() -> None:
        while not ended.is_set():
            _signal(served, signal.SIGSTOP)
            time.sleep(0.9)
            _signal(served, signal.SIGCONT)
            time.sleep(0.1)

    pacing = threading.Thread(target=pace)
    pacing.start()
    try:
        yield
    finally:
        ended.set()
        pacing.join()


def _list_children(served: ServiceProcess) -> list[int]:
    listed = Path(f"/proc/{served.process.pid}/task/{served.process.pid}/children").read_text()
    return [int(child) for child in listed.split()]


def _signal(served: ServiceProcess, number: int) -> None:
    for child in _list_children(served):
        os.kill(child, number)


def test_round_robin_gives_every_worker_the_same_share(aggregated: Aggregated) -> None:
    with aggregated("round-robin.cfg") as served:
        shares = count_by_worker([score(served) for _ in range(60)])
    assert shares == {"worker1": 20, "worker2": 20, "worker3": 20}


def test_by_load_uses_all_workers_and_a_slow_one_less(
    aggregated: Aggregated, workers: list[ServiceProcess]
) -> None:
    with aggregated("by-load.cfg") as served:
        even = count_by_worker(request_concurrently(served, 2.0, min_answers=150))
        with slow_down(workers[2]):
            uneven = count_by_worker(request_concurrently(served, 4.0, min_answers=150))
    assert min(even.values()) > 0.15 * even.total(), even
    assert uneven["worker3"] < 0.5 * even["worker3"] / even.total() * uneven.total(), (even, uneven)


def test_by_parameter_the_named_model_or_experiment_chooses(aggregated: Aggregated) -> None:
    with aggregated("by-parameter.cfg") as served:
        assert set(count_by_worker([score(served) for _ in range(20)])) == {"worker1", "worker2"}
        assert set(count_by_worker([score(served, "/v1/score/second") for _ in range(6)])) == {"worker3"}
        on_trial = [score(served, "/v1/score/first?experiment=new-ranking") for _ in range(6)]
        assert set(count_by_worker(on_trial)) == {"worker3"}
        explained = score(served, "/v1/score/first?contributions=true&experiment=unknown")
        assert count_by_worker([explained]).keys() <= {"worker1", "worker2"}
        assert len(explained.body) > len(score(served).body)
        by_query = [served.get("/v1/models?model=second") for _ in range(6)]
        assert set(count_by_worker(by_query)) == {"worker3"}


def test_a_killed_worker_costs_no_request_and_returns_to_use(
    aggregated: Aggregated, workers: list[ServiceProcess], container: Container
) -> None:
    with aggregated("by-load.cfg") as served:
        died = threading.Timer(1.0, _kill, args=(workers[0],))
        died.start()
        answers = request_concurrently(served, 4.0)
        died.join()
        assert len(count_by_worker(answers)) == 3
        workers[0] = start_worker(container, int(workers[0].url.rpartition(":")[2]))
        wait_until(lambda: score(served).headers["X-Worker"] == "worker1", served.log)


def test_requests_too_large_for_haproxy_to_retry_are_sent_again(
    aggregated: Aggregated, workers: list[ServiceProcess], container: Container
) -> None:
    many = np.random.default_rng(1).random((3000, len(FEATURE_NAMES))).astype(np.float32)
    expected = load_model(container.registry.find_directory("first")).score(many).tobytes()
    with aggregated("round-robin.cfg") as served:
        remote = RemoteRanker("first", FEATURE_NAMES, RankingService(served.url), 10.0)
        died = threading.Timer(0.5, _kill, args=(workers[1],))
        died.start()
        until, sent = time.monotonic() + 2.0, 0
        while time.monotonic() < until:
            assert remote.score(many).tobytes() == expected
            sent += 1
        died.join()
    assert sent > 5


def _kill(served: ServiceProcess) -> None:
    """Kills all processes of a service at once, as a power cut does."""
    children = _list_children(served)
    served.process.kill()
    for child in children:
        os.kill(child, signal.SIGKILL)
    served.process.wait()


def test_every_frontend_listens_on_loopback_by_default() -> None:
    for path in HAPROXY.glob("*.cfg"):
        for line in path.read_text().splitlines():
            if line.strip().startswith("bind "):
                assert "127.0.0.1" in line, f"{path.name}: {line}"
