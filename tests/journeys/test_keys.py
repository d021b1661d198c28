"""Keys with the real service: the refusal to start without, one that is revoked, and no secret anywhere."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.running_service import ServiceProcess, find_free_port, start_service
from tests.sample_project import build_project

pytestmark = pytest.mark.slow
SECRET = "secret-of-role-ranking-0123456789abcdef"
COMMAND = (sys.executable, "-m", "reelrank.app.cli")


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_project(tmp_path_factory.mktemp("keys") / "data", datetime.now(UTC)).settings.data_dir


@pytest.fixture(scope="module")
def key(data_dir: Path) -> str:
    return run(data_dir, "keys", "create", "test", "--scope", "read").stdout.split()[0]


@pytest.fixture(scope="module")
def services(data_dir: Path, key: str) -> Iterator[tuple[ServiceProcess, ServiceProcess]]:
    shared: dict[str, Any] = {"ranking_key": SECRET, "workers": 1, "keys_required": True}
    ranking = start_service(data_dir, role="ranking", **shared)
    candidates = start_service(data_dir, role="candidates", ranking_url=ranking.url, **shared)
    yield candidates, ranking
    candidates.stop(signal.SIGKILL)
    ranking.stop(signal.SIGKILL)


def run(data_dir: Path, *words: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    stated = {f"REELRANK_{name.upper()}": value for name, value in settings.items()}
    environment = os.environ | {"REELRANK_DATA_DIR": str(data_dir), **stated}
    return subprocess.run(
        [*COMMAND, *words], capture_output=True, text=True, env=environment, timeout=120, check=False
    )


@pytest.mark.parametrize("role", ["all", "ranking"])
def test_beyond_loopback_it_refuses_to_start_without_keys(tmp_path: Path, role: str) -> None:
    answer = run(tmp_path, "serve", "--role", role, "--host", "0.0.0.0", "--port", str(find_free_port()))
    assert answer.returncode == 2
    assert "REELRANK_INSECURE=1" in answer.stderr


def test_a_candidates_service_ranks_through_the_key_of_both(
    services: tuple[ServiceProcess, ServiceProcess], key: str
) -> None:
    candidates, ranking = services
    answer = get_with_key(candidates, "/v1/recommendations?user=u1", key)
    assert (answer[0], "ranking" in answer[1]) == (200, False), answer
    assert ranking.get("/v1/score/current").status == 401


def test_secrets_are_in_no_log_no_process_list_and_no_report(
    services: tuple[ServiceProcess, ServiceProcess], data_dir: Path, key: str
) -> None:
    candidates, ranking = services
    get_with_key(candidates, "/v1/search?q=story", key)
    get_with_key(candidates, "/v1/search?q=story", key[:-1] + "x")
    get_with_key(candidates, "/nothing", key)
    candidates.send_bytes(f"GET /\x00 HTTP/1.1\r\nAuthorization: Bearer {key}\r\n\r\n".encode())
    doctor = run(data_dir, "doctor", ranking_key=SECRET, role="candidates", ranking_url=ranking.url)
    bad = run(data_dir, "keys", "list", ranking_key=SECRET[:20])
    processes = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    texts = [candidates.log.read_text(), ranking.log.read_text(), processes]
    texts += [doctor.stdout + doctor.stderr, bad.stdout + bad.stderr]
    texts += [path.read_text(errors="replace") for path in (data_dir / "keys").iterdir() if path.is_file()]
    for text in texts:
        assert key.rpartition("_")[2] not in text
        assert SECRET[:20] not in text


def test_a_revoked_key_ends_while_the_service_runs(
    services: tuple[ServiceProcess, ServiceProcess], data_dir: Path
) -> None:
    candidates, _ = services
    text = run(data_dir, "keys", "create", "short", "--scope", "read").stdout.split()[0]
    wait_for_answer(candidates, text, 200)
    assert run(data_dir, "keys", "revoke", text.split("_")[1]).returncode == 0
    wait_for_answer(candidates, text, 401)


def get_with_key(service: ServiceProcess, path: str, key: str) -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {key}"}
    answer = service.http.request("GET", service.url + path, headers=headers, timeout=30.0)
    return answer.status, answer.data.decode()


def wait_for_answer(service: ServiceProcess, key: str, status: int) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        if get_with_key(service, "/v1/models", key)[0] == status:
            return
        time.sleep(0.1)
    raise AssertionError(f"no answer {status}")
