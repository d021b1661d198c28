"""The three policies of deploy/haproxy, by a real HAProxy before three real ranking services."""

import os
import shutil
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
import pytest
import urllib3

from reelrank.app.scoring.ranking_client import RankingService
from reelrank.app.scoring.remote_ranker import RemoteRanker
from reelrank.app.settings import Settings
from reelrank.app.wiring import Container, build_container, load_model
from reelrank.ranking.features.compute import FEATURE_NAMES
from reelrank.ranking.wire.feature_rows import MEDIA_TYPE, to_bytes
from tests.running_service import Answer, ServiceProcess, find_free_port, start_service
from tests.sample_project import add_model

pytestmark = pytest.mark.slow
HERE = Path(__file__).parents[2] / "deploy" / "haproxy"
ROWS = np.random.default_rng(0).random((20, len(FEATURE_NAMES))).astype(np.float32)
BODY = to_bytes(ROWS, FEATURE_NAMES)
CLIENTS = 6
Aggregated = Callable[[str], AbstractContextManager[ServiceProcess]]


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Container:
    """Models alone: role ranking wants neither an index nor events."""
    parts = build_container(Settings(data_dir=tmp_path_factory.mktemp("models") / "data"))
    for seed, name in enumerate(("first", "second")):
        add_model(parts, name, seed)
    parts.registry.promote("first", lambda directory: directory)
    return parts


@pytest.fixture(scope="module")
def workers(parts: Container) -> Iterator[list[ServiceProcess]]:
    with ThreadPoolExecutor(3) as pool:
        started = list(pool.map(lambda port: start_worker(parts, port), [find_free_port() for _ in range(3)]))
    yield started
    for one in started:
        one.stop()


def start_worker(parts: Container, port: int) -> ServiceProcess:
    return start_service(parts.settings.data_dir, role="ranking", workers=1, threads=4, port=port)


@pytest.fixture
def aggregated(workers: list[ServiceProcess], tmp_path: Path) -> Aggregated:
    """A policy to a running HAProxy whose workers are all known to be ready."""
    program = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")
    if program is None and os.environ.get("REQUIRE_HAPROXY") == "1":
        pytest.fail("haproxy must be there: apt-get install haproxy")
    if program is None:
        pytest.skip("haproxy is not installed: apt-get install haproxy")

    @contextmanager
    def run(policy: str) -> Iterator[ServiceProcess]:
        port, stats = find_free_port(), find_free_port()
        ports = {f"REELRANK_WORKER_{n}": one.url.removeprefix("http://") for n, one in enumerate(workers, 1)}
        environment = os.environ | ports | {
            "REELRANK_AGGREGATOR": f"127.0.0.1:{port}", "REELRANK_STATS_PORT": str(stats)
        }  # fmt: skip
        files = ["-f", str(HERE / "common.cfg"), "-f", str(HERE / policy)]
        log = tmp_path / "haproxy.log"
        with log.open("wb") as to:
            process = subprocess.Popen([str(program), "-db", *files], stderr=to, stdout=to, env=environment)
        served = ServiceProcess(f"http://127.0.0.1:{port}", process, log)
        try:
            _wait_until(lambda: served.get("/readyz").status == 200, log)
            yield served
        finally:
            served.stop(signal.SIGKILL)

    return run


def _wait_until(condition: Callable[[], bool], log: Path) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            if condition():
                return
        except urllib3.exceptions.HTTPError:
            pass
        time.sleep(0.05)
    raise AssertionError(log.read_text())


def score(served: ServiceProcess, path: str = "/v1/score/first") -> Answer:
    return served.request("POST", path, BODY, MEDIA_TYPE)


def request_concurrently(served: ServiceProcess, seconds: float, min_answers: int = 0) -> list[Answer]:
    """What CLIENTS that ask without pause were answered in that time, or until it is enough to compare."""
    until, answers = time.monotonic() + seconds, list[Answer]()

    def ask(_: int) -> None:
        while time.monotonic() < until or len(answers) < min_answers:
            answers.append(score(served))

    with ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(ask, range(CLIENTS)))  # raises what a client met
    return answers


def count_by_worker(answers: list[Answer]) -> Counter[str]:
    assert {answer.status for answer in answers} == {200}
    return Counter(answer.headers["X-Worker"] for answer in answers)


@contextmanager
def slow_down(served: ServiceProcess) -> Iterator[None]:
    """Its worker is stopped nine tenths of the time, never for as long as a health check waits."""
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


def test_round_robin_gives_each_worker_the_same(aggregated: Aggregated) -> None:
    with aggregated("round-robin.cfg") as served:
        shares = count_by_worker([score(served) for _ in range(60)])
    assert shares == {"worker1": 20, "worker2": 20, "worker3": 20}


def test_by_load_all_workers_are_used_and_a_slow_one_gets_less(
    aggregated: Aggregated, workers: list[ServiceProcess]
) -> None:
    with aggregated("by-load.cfg") as served:
        even = count_by_worker(request_concurrently(served, 2.0, min_answers=150))
        with slow_down(workers[2]):
            uneven = count_by_worker(request_concurrently(served, 4.0, min_answers=150))
    assert min(even.values()) > 0.15 * even.total(), even
    assert uneven["worker3"] < 0.5 * even["worker3"] / even.total() * uneven.total(), (even, uneven)


def test_by_parameter_the_model_and_the_experiment_that_are_named_choose(aggregated: Aggregated) -> None:
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


def test_a_dying_worker_costs_no_request_and_is_used_again_when_it_is_back(
    aggregated: Aggregated, workers: list[ServiceProcess], parts: Container
) -> None:
    with aggregated("by-load.cfg") as served:
        died = threading.Timer(1.0, _kill, args=(workers[0],))
        died.start()
        answers = request_concurrently(served, 4.0)
        died.join()
        assert len(count_by_worker(answers)) == 3
        workers[0] = start_worker(parts, int(workers[0].url.rpartition(":")[2]))
        _wait_until(lambda: score(served).headers["X-Worker"] == "worker1", served.log)


def test_scores_too_large_for_the_aggregator_to_repeat_are_asked_again(
    aggregated: Aggregated, workers: list[ServiceProcess], parts: Container
) -> None:
    many = np.random.default_rng(1).random((3000, len(FEATURE_NAMES))).astype(np.float32)
    expected = load_model(parts.registry.directory_of("first")).score(many).tobytes()
    with aggregated("round-robin.cfg") as served:
        remote = RemoteRanker("first", FEATURE_NAMES, RankingService(served.url), 10.0)
        died = threading.Timer(0.5, _kill, args=(workers[1],))
        died.start()
        until, asked = time.monotonic() + 2.0, 0
        while time.monotonic() < until:
            assert remote.score(many).tobytes() == expected
            asked += 1
        died.join()
    assert asked > 5


def _kill(served: ServiceProcess) -> None:
    """As a machine that loses its power: nothing is said to anybody."""
    children = _list_children(served)
    served.process.kill()
    for child in children:
        os.kill(child, signal.SIGKILL)
    served.process.wait()


def test_the_stats_page_and_the_policies_listen_on_loopback_unless_told() -> None:
    for path in HERE.glob("*.cfg"):
        for line in path.read_text().splitlines():
            if line.strip().startswith("bind "):
                assert "127.0.0.1" in line, f"{path.name}: {line}"
