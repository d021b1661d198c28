"""Hostile bodies of POST /v1/score are answered with an error, and the worker survives."""

import random
import struct
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from reelrank.app.wiring import build_release_manager
from reelrank.ranking.features.compute import FEATURE_NAMES
from reelrank.ranking.wire.feature_rows import MEDIA_TYPE, to_bytes
from tests.running_service import Answer, ServiceProcess, start_project_service
from tests.sample_project import add_model, build_project

pytestmark = pytest.mark.slow
MARK = 1237
MUTATIONS = 400


@pytest.fixture(scope="module", params=["ranking", "all"])
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServiceProcess]:
    container = build_project(tmp_path_factory.mktemp("hostile") / "data", datetime.now(UTC))
    add_model(container, "first", 0)
    build_release_manager(container).promote_model("first")
    running = start_project_service(container.settings, role=request.param, workers=1)
    yield running
    running.stop()


@pytest.fixture
def workers(served: ServiceProcess) -> Iterator[list[str]]:
    """Yields the worker processes, and checks after the test that they are the same."""
    before = children(served)
    assert before
    yield before
    assert children(served) == before
    assert "SIGSEGV" not in served.log.read_text()


def children(served: ServiceProcess) -> list[str]:
    pid = served.process.pid
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def rows(n: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return np.random.default_rng(n).normal(size=(n, len(FEATURE_NAMES))).astype(np.float32)


def score(served: ServiceProcess, body: bytes, query: str = "") -> Answer:
    return served.request("POST", f"/v1/score/first{query}", body, MEDIA_TYPE)


def assert_problem(answer: Answer, status: int, words: str) -> None:
    assert answer.status == status, answer.body[:300]
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json["code"] == ("body_too_large" if status == 413 else "invalid_request")
    assert words in answer.json["detail"]
    assert answer.json["errors"][0]["field"] == "body"


@pytest.mark.usefixtures("workers")
@pytest.mark.parametrize("claimed", [MARK + 1, 40_000, 3_000_000, 20_000_000, -1])
def test_a_row_count_above_the_body_is_a_bad_request(served: ServiceProcess, claimed: int) -> None:
    body = to_bytes(rows(MARK), FEATURE_NAMES)
    answer = score(served, body.replace(struct.pack("<q", MARK), struct.pack("<q", claimed)))
    assert_problem(answer, 413 if claimed > 50_000 else 400, "rows")


@pytest.mark.usefixtures("workers")
def test_a_compressed_bomb_is_too_large(served: ServiceProcess) -> None:
    zeros = pa.table({name: np.zeros(1_000_000, np.float32) for name in FEATURE_NAMES})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, zeros.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as to:
        to.write_table(zeros)
    answer = score(served, bytes(sink.getvalue()))
    assert_problem(answer, 413, "1000000 rows; send at most 50000 at once")


@pytest.mark.usefixtures("workers")
def test_too_many_rows_to_explain_are_too_large(served: ServiceProcess) -> None:
    answer = score(served, to_bytes(rows(5001), FEATURE_NAMES), "?contributions=true")
    assert_problem(answer, 413, "5001 rows; send at most 5000")


@pytest.mark.usefixtures("workers")
def test_a_large_valid_request_is_scored(served: ServiceProcess) -> None:
    answer = score(served, to_bytes(rows(12_000), FEATURE_NAMES))
    assert answer.status == 200
    assert pa.ipc.open_stream(answer.body).read_all().num_rows == 12_000


@pytest.mark.usefixtures("workers")
def test_mutated_bodies_are_answered_by_surviving_workers(served: ServiceProcess) -> None:
    body, rng = to_bytes(rows(40), FEATURE_NAMES), random.Random(11)
    statuses = set()
    for _ in range(MUTATIONS):
        changed = bytearray(body)
        for _ in range(rng.randrange(1, 5)):
            offset = rng.randrange(0, 9000, 4)
            changed[offset : offset + 4] = struct.pack(
                "<i", rng.choice([-1, 0, 1, 8, 1 << 16, (1 << 31) - 1, -(1 << 31)])
            )
        answer = score(served, bytes(changed[: rng.choice([len(changed), rng.randrange(len(changed))])]))
        statuses.add(answer.status)
    assert {400} <= statuses <= {200, 400, 413}
