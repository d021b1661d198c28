"""What a viewer sees of each fault, what is recorded and counted, and that the service recovers."""

import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from reelrank.app.search.hydration import FETCH_TIMEOUT_S
from reelrank.app.wiring import build_release_manager
from tests.running_service import Answer, start_service
from tests.sample_project import add_model
from tests.servers import project_under_faults as faults
from tests.servers.log_capture import (
    HitWarnings,
    count_failures,
    expect_warnings,
    is_complete,
    read_event_warnings,
)
from tests.servers.node import Node, wait_until
from tests.servers.project_under_faults import FaultContext, ProjectUnderFaults, build_sharded
from tests.servers.proxy import Proxy
from tests.servers.server import require_startable

pytestmark = [pytest.mark.slow, pytest.mark.servers]
DEADLINE_S = 0.5
LATE_S = 1.2 * DEADLINE_S + 0.4  # a fifth more, and time for two busy cores; items have their own timeout
SEARCH, HOME = "/v1/search?q=story&user=u1&limit=5", "/v1/recommendations?user=u2&limit=5"
DROPPED = re.compile(r'reelrank_pages_not_recorded_total\{why="not on dashboards"\} (\S+)')


@dataclass(frozen=True, slots=True)
class FaultCase:
    """kinds: failures of which at least one is counted. status: statuses of degraded answers."""

    fault: FaultContext
    kinds: set[str]
    status: set[int]


PAGE, PROBLEM = {200}, {503, 504}
SEEN_S = 60.0
CASES = {
    "a paused node": FaultCase(faults.pause_node, {"Timeout"}, PROBLEM),
    "a killed node": FaultCase(faults.kill_node, {"Unavailable"}, PROBLEM),
    "late answers": FaultCase(faults.set_proxy_mode("delay"), {"Timeout"}, PROBLEM),
    "trickling answers": FaultCase(faults.set_proxy_mode("trickle"), {"Timeout"}, PROBLEM),
    "reset connections": FaultCase(faults.set_proxy_mode("reset"), {"Unavailable"}, PROBLEM),
    "answers cut short": FaultCase(faults.set_proxy_mode("truncate"), {"Unavailable", "Timeout"}, PROBLEM),
    "a slow source": FaultCase(faults.slow_down_source, {"Timeout"}, PAGE),
    "a wrong password": FaultCase(faults.require_other_password, {"Unavailable"}, PROBLEM),
    "a full search queue": FaultCase(faults.fill_queue, {"Throttled", "Partial"}, PAGE | PROBLEM),
    "a lost shard": FaultCase(faults.lose_shard, {"Partial"}, PAGE),
    "a mismatched mapping": FaultCase(faults.serve_wrong_mapping, {"BadRequest"}, PAGE),
    "a deleted index": FaultCase(faults.delete_index, {"Unavailable"}, PROBLEM),
}


@pytest.fixture(scope="module", params=["elasticsearch-9", "opensearch-3"])
def project(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ProjectUnderFaults]:
    kind = require_startable(request.param)
    node = Node(kind, Path(tmp_path_factory.mktemp(kind)), *faults.SMALL_QUEUE_SETTINGS).wait()
    data_dir = tmp_path_factory.mktemp("project") / "data"
    parts, proxy = build_sharded(node, data_dir), Proxy(node.port)
    build_release_manager(parts).promote_model(add_model(parts, "first", 0))
    server_settings = {
        "engine": parts.settings.engine,
        "engine_url": proxy.url,
        "engine_prefix": faults.PREFIX,
    }
    secrets = {"engine_username": "reader", "engine_password": "wrong"}
    served = start_service(data_dir, True, deadline_ms=round(DEADLINE_S * 1000), **server_settings, **secrets)
    yield ProjectUnderFaults(node, proxy, parts, served)
    served.stop()
    proxy.stop()
    node.stop()


def count_dropped(project: ProjectUnderFaults) -> int:
    """Counts the pages that are missing on dashboards."""
    return sum(int(float(n)) for n in DROPPED.findall(project.service.get("/metrics").body.decode()))


def request_pages(project: ProjectUnderFaults) -> list[Answer]:
    """Requests a search and a home page, each within its deadline."""
    answers = list[Answer]()
    for path in (SEARCH, HOME):
        started = time.monotonic()
        answers.append(project.service.get(path))
        limit_s = LATE_S + (FETCH_TIMEOUT_S if answers[-1].status == 200 else 0)
        assert time.monotonic() - started < limit_s, answers[-1].body
    return answers


def request_until_degraded(
    project: ProjectUnderFaults, case: FaultCase, before: Counter[tuple[str, str]]
) -> list[Answer]:
    """Requests pages until an expected failure is counted; returns the degraded answers."""
    answers = list[Answer]()

    def is_seen() -> bool:
        answers[:] = [answer for answer in request_pages(project) if not is_complete(answer)]
        kinds = {why for _, why in count_failures(project.service) - before}
        return bool(answers and kinds & case.kinds and {answer.status for answer in answers} <= case.status)

    assert wait_until(is_seen, SEEN_S), (
        count_failures(project.service) - before,
        [answer.body for answer in answers],
    )
    return answers


def read_dashboard_warnings(project: ProjectUnderFaults, answer: Answer) -> HitWarnings:
    """Reads the warnings in the documents for dashboards: one per page, one per impression."""
    warnings, body = (
        HitWarnings(),
        {"size": 100, "query": {"term": {"request_id": answer.json["request_id"]}}},
    )
    for stream in ("impressions", "requests"):
        name = f"{faults.PREFIX}{stream}"
        if project.cluster.request("POST", f"/{name}/_refresh")[0] == 404:
            continue  # created at the first document
        warnings += [set(hit["_source"]["degraded"]) for hit in project.cluster.search(name, body, 10.0)]
    return warnings


def is_on_dashboards(project: ProjectUnderFaults, answer: Answer, dropped_before: int) -> bool:
    """Returns whether dashboards have all warnings, or fewer with the missing pages counted."""
    warnings, expected = read_dashboard_warnings(project, answer), expect_warnings(answer, 1)
    is_counted = count_dropped(project) > dropped_before
    return warnings == expected or (warnings == expected[: len(warnings)] and is_counted)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_fault_is_reported_counted_recorded_and_recovered_from(
    project: ProjectUnderFaults, case: FaultCase
) -> None:
    assert wait_until(lambda: all(is_complete(answer) for answer in request_pages(project)))
    whole, before, lost = project.service.get(SEARCH), count_failures(project.service), count_dropped(project)
    with case.fault(project):
        answers = request_until_degraded(project, case, before)
    assert all(answer.headers["Cache-Control"] == "no-store" for answer in [whole, *answers])
    for answer in answers:
        if answer.status != 200:
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert int(answer.headers["Retry-After"]) > 0
    assert wait_until(lambda: all(is_complete(answer) for answer in request_pages(project)))
    for answer in answers:
        assert wait_until(
            lambda: read_event_warnings(project.parts.events, answer) == expect_warnings(answer),  # noqa: B023
            20,
        ), answer.body
        is_there = wait_until(lambda: is_on_dashboards(project, answer, lost), 20)  # noqa: B023
        assert is_there, (
            answer.body,
            read_dashboard_warnings(project, answer),
            count_dropped(project) - lost,
        )
    assert wait_until(
        lambda: read_event_warnings(project.parts.events, whole) == expect_warnings(whole), 20
    ), whole.body
    cursors = [cursor for answer in answers if (cursor := answer.json.get("cursor"))]
    later = [project.service.get(f"/v1/search?cursor={cursor}&limit=5") for cursor in cursors]
    assert all(answer.json["degraded"] for answer in later)
    assert later or case.status != PAGE
