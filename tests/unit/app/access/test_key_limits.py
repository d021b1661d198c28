"""Limits of what a key sends: over all workers, a batch as a whole, and 429 with the seconds to wait."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from reelrank.app.access.authenticator import KeyAuthenticator
from reelrank.app.access.key_limits import BURST_S, KeyLimitReached, KeyLimits
from reelrank.app.access.key_store import KeyStore
from reelrank.app.settings import Settings
from reelrank.app.web.access.rules import AccessRules
from reelrank.app.web.application import WebOptions, create_app
from reelrank.app.wiring import build_container, build_service


def send(limits: KeyLimits, times: int, key_id: str = "k", kind: str = "requests") -> int:
    """Returns how many of so many requests are allowed."""
    allowed = 0
    for _ in range(times):
        try:
            limits.count(key_id, kind)
        except KeyLimitReached:
            continue
        allowed += 1
    return allowed


def test_a_key_may_send_ten_seconds_of_its_rate_at_once(tmp_path: Path) -> None:
    limits = KeyLimits(2, 0, tmp_path)
    assert BURST_S * 2 <= send(limits, 100) <= BURST_S * 2 + 2
    assert send(limits, 1, "another") == 1
    assert send(limits, 50, kind="events") == 50


def test_workers_count_together_and_processes_without_a_directory_alone(tmp_path: Path) -> None:
    first, second, alone = KeyLimits(1, 0, tmp_path), KeyLimits(1, 0, tmp_path), KeyLimits(1, 0)
    assert send(first, 50) >= BURST_S
    assert (send(second, 1), send(alone, 1), send(KeyLimits(1, 0, tmp_path / "none"), 1)) == (0, 1, 1)


def test_a_large_batch_is_taken_whole_and_paid_for_afterwards() -> None:
    limits = KeyLimits(0, 10)
    limits.count("k", "events", 5000)
    with pytest.raises(KeyLimitReached) as refused:
        limits.count("k", "events")
    assert 480 < refused.value.retry_after_s <= 490


@pytest.fixture
def client(tmp_path: Path) -> FlaskClient:
    """An empty project whose keys may send one request in ten seconds and one event in a thousand."""
    parts = build_container(Settings(data_dir=tmp_path))
    store = KeyStore(tmp_path / "keys", lambda: datetime.now(UTC))
    rules = AccessRules(KeyAuthenticator(store, 0), limits=KeyLimits(0.1, 0.001))
    client = create_app(build_service(parts), WebOptions(10_000, tmp_path, rules)).test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {store.create('test', ['events'])[1]}"
    return client


def test_beyond_the_limit_the_answer_is_429_and_nothing_is_stored(client: FlaskClient) -> None:
    event = {"kind": "watch", "user": "u", "item": "i"}
    answers = [client.post("/v1/events", json=event) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 429, 429]
    assert answers[1].get_json()["code"] == "key_limit_reached"
    assert "events" in answers[1].get_json()["detail"]
    assert 900 <= int(answers[1].headers["Retry-After"]) <= 990
    assert "requests" in answers[2].get_json()["detail"]
    assert 1 <= int(answers[2].headers["Retry-After"]) <= 20
    assert client.get("/livez").status_code == 200
