"""More requests than a worker can answer: lists are refused early and politely, events and probes never."""

import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tests.running_service import Answer, Clients, ServiceProcess, start_service
from tests.sample_project import build_project

pytestmark = pytest.mark.slow
CLIENTS = 24
EVENTS = 20


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    data_dir = build_project(
        tmp_path_factory.mktemp("overload") / "data", datetime.now(UTC)
    ).settings.data_dir
    served = start_service(data_dir, workers=1, threads=1, answer_within_ms=60)
    yield served
    served.stop(signal.SIGKILL)


class Searchers(Clients):
    """Clients that send searches one after the other and keep the answers."""

    def __init__(self, service: ServiceProcess) -> None:
        super().__init__(service, CLIENTS)
        self.answers: list[Answer] = []
        self.lock = threading.Lock()

    def send_request(self, number: int) -> None:
        answer = self.service.get(f"/v1/search?q=story&user=u{number}")
        with self.lock:
            self.answers.append(answer)


def test_lists_are_refused_in_part_and_events_and_probes_never(service: ServiceProcess) -> None:
    with Searchers(service) as searchers:
        for number in range(EVENTS):
            event = {"id": f"e{number}", "kind": "watch", "user": "u", "item": "sea1"}
            assert service.post("/v1/events", event).status == 200
            assert service.get("/livez").status == 200
        until = time.monotonic() + 60
        while len(searchers.answers) < 200 and time.monotonic() < until:
            time.sleep(0.1)
    statuses = Counter(answer.status for answer in searchers.answers)
    assert set(statuses) == {200, 503}, statuses
    refused = [answer for answer in searchers.answers if answer.json.get("code") == "overloaded"]
    assert refused
    for answer in refused:
        assert int(answer.headers["Retry-After"]) >= 1
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert service.get("/v1/search?q=story").status == 200
