"""What a viewer gets of each fault, what is recorded of it, what /metrics says, and that it passes."""

import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from reelrank.app.search.hydration import FETCH_TIMEOUT_S
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
LATE_S = 1.2 * DEADLINE_S + 0.4  # a fifth more, and what two busy cores take; items of a page have their own
SEARCH, HOME = "/v1/search?q=story&user=u1&limit=5", "/v1/recommendations?user=u2&limit=5"
DROPPED = re.compile(r'reelrank_pages_not_recorded_total\{why="not on dashboards"\} (\S+)')


@dataclass(frozen=True, slots=True)
class FaultCase:
    """kinds: of failure, of which one at least is counted. status: of answers that are not whole."""

    fault: FaultContext
    kinds: set[str]
    status: set[int]


PAGE, PROBLEM = {200}, {503, 504}
SEEN_S = 60.0
CASES = {
    "a node that stands still": FaultCase(faults.pause_node, {"Timeout"}, PROBLEM),
    "a killed node": FaultCase(faults.kill_node, {"Unavailable"}, PROBLEM),
    "late answers": FaultCase(faults.set_proxy_mode("delay"), {"Timeout"}, PROBLEM),
    "trickling answers": FaultCase(faults.set_proxy_mode("trickle"), {"Timeout"}, PROBLEM),
    "reset connections": FaultCase(faults.set_proxy_mode("reset"), {"Unavailable"}, PROBLEM),
    "answers cut short": FaultCase(faults.set_proxy_mode("truncate"), {"Unavailable", "Timeout"}, PROBLEM),
    "a slow source": FaultCase(faults.slow_down_source, {"Timeout"}, PAGE),
    "a wrong password": FaultCase(faults.require_other_password, {"Unavailable"}, PROBLEM),
    "a full search queue": FaultCase(faults.fill_queue, {"Throttled", "Partial"}, PAGE | PROBLEM),
    "a lost shard": FaultCase(faults.lose_shard, {"Partial"}, PAGE),
    "a mapping that does not fit": FaultCase(faults.serve_wrong_mapping, {"BadRequest"}, PAGE),
    "a deleted index": FaultCase(faults.delete_index, {"Unavailable"}, PROBLEM),
}


@pytest.fixture(scope="module", params=["elasticsearch-9", "opensearch-3"])
def house(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ProjectUnderFaults]:
    kind = require_startable(request.param)
    node = Node(kind, Path(tmp_path_factory.mktemp(kind)), *faults.SMALL_QUEUE_SETTINGS).wait()
    data_dir = tmp_path_factory.mktemp("house") / "data"
    parts, proxy = build_sharded(node, data_dir), Proxy(node.port)
    parts.registry.promote(add_model(parts, "first", 0), lambda directory: directory)
    there = {"engine": parts.settings.engine, "engine_url": proxy.url, "engine_prefix": faults.PREFIX}
    secrets = {"engine_username": "reader", "engine_password": "wrong"}
    served = start_service(data_dir, True, deadline_ms=round(DEADLINE_S * 1000), **there, **secrets)
    yield ProjectUnderFaults(node, proxy, parts, served)
    served.stop()
    proxy.stop()
    node.stop()


def count_dropped(house: ProjectUnderFaults) -> int:
    """Pages that are not on dashboards."""
    return sum(int(float(n)) for n in DROPPED.findall(house.service.get("/metrics").body.decode()))


def request_pages(house: ProjectUnderFaults) -> list[Answer]:
    """A search and a home page, each in time."""
    answers = list[Answer]()
    for path in (SEARCH, HOME):
        began = time.monotonic()
        answers.append(house.service.get(path))
        most = LATE_S + (FETCH_TIMEOUT_S if answers[-1].status == 200 else 0)
        assert time.monotonic() - began < most, answers[-1].body
    return answers


def request_until_degraded(
    house: ProjectUnderFaults, case: FaultCase, before: Counter[tuple[str, str]]
) -> list[Answer]:
    """A search, and more, that are not whole, once a failure of the kind was counted."""
    answers = list[Answer]()

    def is_seen() -> bool:
        answers[:] = [answer for answer in request_pages(house) if not is_complete(answer)]
        kinds = {why for _, why in count_failures(house.service) - before}
        return bool(answers and kinds & case.kinds and {answer.status for answer in answers} <= case.status)

    assert wait_until(is_seen, SEEN_S), (
        count_failures(house.service) - before,
        [answer.body for answer in answers],
    )
    return answers


def read_dashboard_warnings(house: ProjectUnderFaults, answer: Answer) -> HitWarnings:
    """The same of the lines that dashboards read, of which one is the page's own."""
    said, body = HitWarnings(), {"size": 100, "query": {"term": {"request_id": answer.json["request_id"]}}}
    for stream in ("impressions", "requests"):
        name = f"{faults.PREFIX}{stream}"
        if house.cluster.request("POST", f"/{name}/_refresh")[0] == 404:
            continue  # made at the first line
        said += [set(hit["_source"]["degraded"]) for hit in house.cluster.search(name, body, 10.0)]
    return said


def is_on_dashboards(house: ProjectUnderFaults, answer: Answer, dropped_before: int) -> bool:
    """All of it, as it was; or less, and counted, when the node went away before all was written."""
    said, whole = read_dashboard_warnings(house, answer), expect_warnings(answer, 1)
    return said == whole or (said == whole[: len(said)] and count_dropped(house) > dropped_before)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_fault_is_told_in_time_counted_recorded_as_what_it_was_and_over_when_it_is_over(
    house: ProjectUnderFaults, case: FaultCase
) -> None:
    assert wait_until(lambda: all(is_complete(answer) for answer in request_pages(house)))
    whole, before, lost = house.service.get(SEARCH), count_failures(house.service), count_dropped(house)
    with case.fault(house):
        answers = request_until_degraded(house, case, before)
    assert all(answer.headers["Cache-Control"] == "no-store" for answer in [whole, *answers])
    for answer in answers:
        if answer.status != 200:
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert int(answer.headers["Retry-After"]) > 0
    assert wait_until(lambda: all(is_complete(answer) for answer in request_pages(house)))
    for answer in answers:
        assert wait_until(
            lambda: read_event_warnings(house.parts.events, answer) == expect_warnings(answer),  # noqa: B023
            20,
        ), answer.body
        is_there = wait_until(lambda: is_on_dashboards(house, answer, lost), 20)  # noqa: B023
        assert is_there, (answer.body, read_dashboard_warnings(house, answer), count_dropped(house) - lost)
    assert wait_until(lambda: read_event_warnings(house.parts.events, whole) == expect_warnings(whole), 20), (
        whole.body
    )
    cursors = [cursor for answer in answers if (cursor := answer.json.get("cursor"))]
    later = [house.service.get(f"/v1/search?cursor={cursor}&limit=5") for cursor in cursors]
    assert all(answer.json["degraded"] for answer in later)
    assert later or case.status != PAGE
