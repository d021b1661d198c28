"""The service while its server stands still: answers in time, none passed off as whole, and back again."""

import signal
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from tests.served import Answer, Served, serve
from tests.servers.node import Node, in_the_end
from tests.small_house import add_model, build_house

pytestmark = [pytest.mark.slow, pytest.mark.servers]
DEADLINE_S = 0.5
CLIENTS, ASKED = 4, 25


@pytest.fixture
def service(node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setenv("REELRANK_ENGINE", node.kind.split("-")[0])
    monkeypatch.setenv("REELRANK_ENGINE_URL", node.url)
    parts = build_house(tmp_path / "data", datetime.now(UTC))
    parts.registry.promote(add_model(parts, "first", 0), lambda directory: directory)
    served = serve(parts.settings.data_dir, deadline_ms=round(DEADLINE_S * 1000))
    yield served
    served.stop(signal.SIGKILL)


def asked(service: Served) -> list[tuple[float, Answer]]:
    """Searches and home pages of several clients at once, each with its seconds."""
    answers = list[tuple[float, Answer]]()

    def ask(client: int) -> None:
        for number in range(ASKED):
            path = ("search?q=story&", "recommendations?")[number % 2]
            began = time.monotonic()
            answer = service.get(f"/v1/{path}user=u{client}&limit=5")
            answers.append((time.monotonic() - began, answer))

    clients = [threading.Thread(target=ask, args=(client,)) for client in range(CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    return answers


def is_whole(answer: Answer) -> bool:
    return answer.status == 200 and not answer.json["degraded"]


def says_what_is_missing(answer: Answer) -> bool:
    if answer.status == 200:
        return bool(answer.json["degraded"])
    is_problem = answer.headers["Content-Type"] == "application/problem+json"
    return answer.status in (503, 504) and is_problem and int(answer.headers["Retry-After"]) > 0


def test_answers_come_within_the_deadline_and_a_fifth_while_the_server_stands_still(
    node: Node, service: Served
) -> None:
    assert in_the_end(lambda: all(is_whole(answer) for _, answer in asked(service)))
    node.pause()
    answers = asked(service)
    node.resume()
    assert [answer.body for _, answer in answers if not says_what_is_missing(answer)] == []
    seconds = np.array([took for took, _ in answers])
    assert np.quantile(seconds, 0.99) <= 1.2 * DEADLINE_S, np.sort(seconds)[-10:]
    assert in_the_end(lambda: all(is_whole(answer) for _, answer in asked(service)))
